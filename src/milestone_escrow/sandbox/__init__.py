"""The embedded chain made a place to live: a world with money, stories that play, a keeper."""
