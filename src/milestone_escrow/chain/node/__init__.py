"""Nodes: which networks there are, how one is reached, and what it is asked."""
