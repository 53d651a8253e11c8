"""Tables that people keep in a spreadsheet: milestones of an agreement, verdicts of a batch."""
