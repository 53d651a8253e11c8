"""The interface's routes, one file for each thing that they are about."""
