"""The chain's room: networks, sending, the contract's client, the embedded chain. Here is web3."""
