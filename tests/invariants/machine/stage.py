"""The stage: one chain with the escrow, six tokens, people and two contract wallets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_hash.auto import keccak
from eth_utils import to_canonical_address

from milestone_escrow.chain.deploy.compiler import Artifact
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address, Domain
from milestone_escrow.protocol.lifecycle import State, Status
from tests.contracts.support.contract import Contract
from tests.contracts.support.deal import make_milestone
from tests.contracts.support.evm import CHAIN_ID, GENESIS, Chain
from tests.contracts.support.people import person
from tests.contracts.support.tokens import behave
from tests.contracts.support.world import RICH, World, branch, build
from tests.invariants.accounts import account
from tests.invariants.machine.book import Book, Wallet
from tests.invariants.machine.tokens import DEAD, TokenTwin
from tests.invariants.machine.twin import Twin

FUNDERS = ("buyer", "buyer 2", "financier", "financier 2", "stranger")
OTHERS = ("saver", "supplier", "supplier 2", "arbiter", "broker", "inspector", "forwarder", "bank")
OWNERS = {"surveyor": "owner of the surveyor", "judge": "owner of the judge"}
PURSE = 2**140
NO_TOKEN = "nobody's token"


@dataclass(frozen=True)
class Stage:
    """Where a play begins; branch it, never change it."""

    world: World
    twin: Twin
    contracts: Mapping[Address, Contract]
    errors: Mapping[bytes, str]
    word_slot: int
    surveyor: Address
    judge: Address

    @property
    def verifiers(self) -> tuple[Address, ...]:
        names = ("inspector", "forwarder", "bank")
        return _ascending(*(account(name) for name in names), self.surveyor)

    @property
    def accounts(self) -> tuple[Address, ...]:
        """Everybody who can own tokens."""
        people = tuple(account(name) for name in FUNDERS + OTHERS)
        return (*people, self.surveyor, self.judge, DEAD, self.world.escrow.address)

    def token(self, name: str) -> Address:
        return next(address for address, token in self.twin.tokens.items() if token.name == name)


@dataclass(frozen=True)
class Storage:
    """The words of one state of the chain, read as the contracts lay them out."""

    state: Any
    word_slot: int
    escrow: Address

    @classmethod
    def of(cls, chain: Chain, stage: Stage) -> Storage:
        return cls(chain._state(), stage.word_slot, stage.world.escrow.address)

    def word(self, id_: bytes) -> int:
        """An agreement's word: four bits per milestone."""
        return _read(self.state, self.escrow, _slot(id_, self.word_slot))

    def states(self, id_: bytes, count: int) -> tuple[State, ...]:
        """What the contract remembers; a settled milestone shows only its status."""
        word = self.word(id_)
        return tuple(self._milestone(id_, index, word >> 4 * index & 15) for index in range(count))

    def credit(self, token: Address, who: Address) -> int:
        inner = _slot(_pad(token), self.word_slot + 2)
        return _read(self.state, self.escrow, _slot(_pad(who), inner))

    def balance(self, token: Address, who: Address) -> int:
        """Of an OpenZeppelin ERC-20, whose first slot is the mapping of balances."""
        return _read(self.state, token, _slot(_pad(who), 0))

    def _milestone(self, id_: bytes, index: int, nibble: int) -> State:
        status = Status(nibble & 7)
        if status is Status.SETTLED or not nibble & 8:
            return State(status)
        place = _slot(index.to_bytes(32, "big"), _slot(id_, self.word_slot + 1))
        first = _read(self.state, self.escrow, place)
        second = _read(self.state, self.escrow, place + 1)
        assignee = person_address(first & (2**160 - 1))
        return State(
            status,
            assignee,
            first >> 160 & 0xFFFFFFFF,
            first >> 192 & 0xFFFFFFFF,
            first >> 224 & 0xFFFF,
            first >> 240 & 0xFF,
            second & (2**128 - 1),
            second >> 128,
        )


def set_stage(artifacts: Mapping[str, Artifact]) -> Stage:
    """A fresh chain with everything on it."""
    world = build(artifacts)
    escrow = world.escrow.address
    wallets = _wallets(world)
    contracts = {
        "USDC": world.token,
        "plain": world.deploy("PlainToken"),
        "silent": world.deploy("HostileToken", 6),
        "fickle 6": world.deploy("HostileToken", 6),
        "fickle 18": world.deploy("HostileToken", 18),
    }
    tokens = {}
    for name, contract in contracts.items():
        domain = Domain(CHAIN_ID, contract.address, "USD Coin") if name == "USDC" else None
        token = TokenTwin(name, contract.address, escrow, domain, turns=name.startswith("fickle"))
        _endow(contract, token)
        tokens[contract.address] = token
    turn(contracts["silent"], tokens[contracts["silent"].address], "Silent", "Silent")
    tokens[account(NO_TOKEN)] = TokenTwin(NO_TOKEN, account(NO_TOKEN), escrow, has_code=False)
    people = {account(name): person(name) for name in (*FUNDERS, *OTHERS, *OWNERS.values())}
    book = Book(people, wallets)
    surveyor, judge = wallets
    return Stage(
        world,
        Twin(Domain(CHAIN_ID, escrow), book, tokens, GENESIS),
        {contract.address: contract for contract in contracts.values()},
        _errors(artifacts),
        _find_word_slot(world),
        surveyor,
        judge,
    )


def turn(contract: Contract, token: TokenTwin, transfer: str, transfer_from: str) -> None:
    """The token changes how it behaves, on the chain and in the twin."""
    behave(contract, transfer, transfer_from)
    token.on_transfer, token.on_transfer_from = transfer, transfer_from


_KNOWN: dict[int, Address] = {0: ZERO_ADDRESS}


def person_address(number: int) -> Address:
    """Checksums cost more than everything else here."""
    if number not in _KNOWN:
        from eth_utils import to_checksum_address

        _KNOWN[number] = to_checksum_address(number.to_bytes(20, "big"))
    return _KNOWN[number]


def _endow(contract: Contract, token: TokenTwin) -> None:
    """Funders have plenty and have approved it; the saver has approved nothing."""
    for name in (*FUNDERS, "saver"):
        who = account(name)
        minted = PURSE
        contract.send("mint", who, minted)
        # The world has given some of its first token to its buyer already.
        had = RICH if name == "buyer" and token.domain else 0
        token.balances[who] = minted + had
        if name != "saver":
            contract.send("approve", token.escrow, 2**256 - 1, by=who)
            token.allowances[who] = 2**256 - 1


def _wallets(world: World) -> dict[Address, Wallet]:
    """A surveyor's wallet that signs with its owner's key, and a judge's that signs for itself."""
    made = {}
    for name, bound in (("surveyor", False), ("judge", True)):
        owner = account(OWNERS[name])
        contract = world.deploy("OwnedWallet", owner, bound)
        made[contract.address] = Wallet(contract.address, owner, bound)
    return made


def _errors(artifacts: Mapping[str, Artifact]) -> dict[bytes, str]:
    """Every custom error by its selector, and the one that Solidity makes of a text."""
    found = {keccak(b"Error(string)")[:4]: "Error", keccak(b"Panic(uint256)")[:4]: "Panic"}
    found[bytes(4)] = "Zeros"  # what a hostile token reverts with, 100,000 of them
    for artifact in artifacts.values():
        for entry in artifact.abi:
            if entry["type"] == "error":
                types = ",".join(item["type"] for item in entry["inputs"])
                found[keccak(f"{entry['name']}({types})".encode())[:4]] = entry["name"]
    return found


def _find_word_slot(world: World) -> int:
    """The slot of the mapping of agreements: the one where opening one leaves a word."""
    trial = branch(world)
    deal = trial.opened(make_milestone())
    state = trial.chain._state()
    escrow = trial.escrow.address
    return next(slot for slot in range(16) if _read(state, escrow, _slot(deal.id, slot)))


def _read(state: Any, contract: Address, slot: int) -> int:
    return int(state.get_storage(to_canonical_address(contract), slot))


def _slot(key: bytes, mapping: int) -> int:
    return int.from_bytes(keccak(key + mapping.to_bytes(32, "big")), "big")


def _pad(address: Address) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


def _ascending(*accounts: Address) -> tuple[Address, ...]:
    return tuple(sorted(accounts, key=lambda account: int(account, 16)))


def play(stage: Stage) -> tuple[World, Twin]:
    """A branch of the chain, and the twin that goes with it."""
    twin = stage.twin
    tokens = {address: token.copy() for address, token in twin.tokens.items()}
    book = Book(twin.book.people, twin.book.wallets)
    return branch(stage.world), Twin(twin.domain, book, tokens, twin.now)
