"""Where deals stand, in people's words: what the command line and the page say alike."""
