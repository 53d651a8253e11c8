"""What the contract and tokens refuse with."""
