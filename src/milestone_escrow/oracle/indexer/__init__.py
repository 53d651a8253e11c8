"""From the chain into the store: every event once, and undone where the chain undoes it."""
