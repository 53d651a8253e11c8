"""From what should happen on chain to its final transaction: intents, attempts, receipts."""
