"""A chain within this process, for the sandbox and for tests.

Not web3's EthereumTesterProvider, which stands on the same py-evm: it writes other JSON than nodes
do, gives what a contract reverted with as text, knows no blocks or logs by hash, no receipts of a
block and no typed data to sign, and takes twice as long to mine and nine times to estimate.
"""
