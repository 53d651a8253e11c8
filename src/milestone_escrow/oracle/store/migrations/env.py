"""Alembic asks for this file; migrations run from `store.migrating`, on an open connection."""
