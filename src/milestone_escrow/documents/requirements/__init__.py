"""What must be shown for a milestone: the language, and kinds that other packages bring."""
