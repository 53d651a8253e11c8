"""`escrow invoice`, `receipt`, `statement` and `audit`."""
