"""Sending: priced, signed, broadcast, waited for, and replaced where no block takes it."""
