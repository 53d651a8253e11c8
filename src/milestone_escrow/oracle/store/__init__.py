"""What the oracle remembers: one database per contract, SQLite or PostgreSQL."""
