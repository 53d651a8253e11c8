"""The service that watches, checks, signs, submits and reminds."""
