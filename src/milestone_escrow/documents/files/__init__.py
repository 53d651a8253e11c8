"""Files that travel between people, with signatures; all of them read as hostile."""
