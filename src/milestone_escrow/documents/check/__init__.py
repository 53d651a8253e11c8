"""What a careful lawyer and a careful engineer would say before anyone signs."""
