"""What the contract and tokens refuse with, in sentences that know the people and the way out."""
