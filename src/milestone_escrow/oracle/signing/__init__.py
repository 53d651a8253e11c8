"""Verdicts that were signed: taken in, counted, and what the service itself may sign."""
