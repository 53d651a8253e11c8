"""What a verb does, for every door: prepare, explain, consent, send, outcome.

Plain typed functions: a door asks, shows, signs with its own keys or hands to a wallet, and sends.
"""
