"""From sources to a contract at its address, recorded and published."""
