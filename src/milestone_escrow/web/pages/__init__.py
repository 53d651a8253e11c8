"""One module a page: its address, what it shows, who may see it."""
