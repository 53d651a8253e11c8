"""What is worth telling, whom, when, and over which channel; each thing once."""
