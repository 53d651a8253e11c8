"""What a node is asked before it is trusted, and what is said about each answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from milestone_escrow.chain.contract.tokens import DENIES, denylist_call
from milestone_escrow.chain.deploy.deploying import contract_address, deploy, plan_deployment
from milestone_escrow.chain.deploy.readiness import Finding, Holder, examine, examine_network
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.embedded.installation import install
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.networks import network
from milestone_escrow.chain.node.probes import inspect_token, missing_features, require_honest
from milestone_escrow.chain.node.rpc import LimitedError, Node, RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.keys import LocalSigner
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.token import Token
from tests.support.anvil import Anvil
from tests.support.nodes import Odd

NOW = 1_800_000_000
CHAIN_ID = 77


@pytest.fixture
def chain() -> EmbeddedChain:
    """A chain with the contract and test USDC, whose latest block is of now."""
    chain = EmbeddedChain(NOW - 10, chain_id=CHAIN_ID)
    install(chain)
    chain.set_time(NOW)
    return chain


@pytest.fixture
def ours() -> Network:
    """Its table, as of a public network."""
    embedded = network("embedded")
    return replace(embedded, name="ours", title="Ours", chain_id=CHAIN_ID, contract="", local=False)


@pytest.fixture
def key() -> LocalSigner:
    return LocalSigner(b"\x77" * 32)


def findings(node: Node, chosen: Network, now: int = NOW) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine_network(chosen, node, now=now)}


def test_a_good_network_is_all_right(chain: EmbeddedChain, ours: Network) -> None:
    found = findings(chain, ours)
    assert list(found) == ["node", "chain", "head", "machine", "gas", "USDC"]
    assert all(finding.ok for finding in found.values())
    assert "with permit and ERC-3009" in found["USDC"].says
    assert found["head"].says == "block 3, 0 seconds old"


def test_a_node_that_is_behind_says_how_far(chain: EmbeddedChain, ours: Network) -> None:
    found = findings(chain, ours, NOW + 7_200)["head"]
    assert found.says == "the node is behind: its latest block, 3, is 2 hours old"
    assert "name another with --rpc" in found.fix


def test_a_clock_that_is_wrong_is_noticed(chain: EmbeddedChain, ours: Network) -> None:
    found = findings(chain, ours, NOW - 600)["head"]
    assert found.says == "the latest block is 10 minutes ahead of this machine's clock"


def test_a_chain_of_ones_own_has_its_own_time(chain: EmbeddedChain, ours: Network) -> None:
    assert findings(chain, replace(ours, local=True), NOW + 10**7)["head"].ok


def test_a_node_on_another_chain_ends_the_questions(chain: EmbeddedChain, ours: Network) -> None:
    found = findings(chain, replace(ours, chain_id=78))
    assert list(found) == ["node"]
    assert found["node"].says == "the node is on chain 77, but Ours is chain 78"


def test_a_node_that_lies_about_its_chain_is_found_out(chain: EmbeddedChain, ours: Network) -> None:
    lying = Odd(chain, eth_chainId=hex(78))
    found = findings(lying, replace(ours, chain_id=78))["chain"]
    assert "says that it is on chain 78, but it works on chain 77" in found.says
    assert "do not trust it" in found.fix


def test_transactions_of_another_chain_give_a_liar_away(ours: Network) -> None:
    def block(params: Sequence[Any], truth: Any) -> object:
        return {"transactions": [{"chainId": "0x1"}, {"chainId": hex(CHAIN_ID)}, {}]}

    chain = EmbeddedChain(chain_id=CHAIN_ID)
    with pytest.raises(ChainError, match="works on chain 1; do not trust it"):
        require_honest(Odd(chain, eth_getBlockByNumber=block), ours)


def test_a_node_without_a_head_is_one_sentence(chain: EmbeddedChain, ours: Network) -> None:
    def nothing(params: Sequence[Any], truth: Any) -> object:
        return None if params[1] is False else truth()

    found = findings(Odd(chain, eth_getBlockByNumber=nothing), ours)
    assert found["head"].says == "the node has no latest block"


@pytest.mark.parametrize(
    ("hardfork", "missing"),
    [
        ("paris", ("PUSH0", "transient storage", "MCOPY")),
        ("shanghai", ("transient storage", "MCOPY")),
        ("cancun", ()),
    ],
)
def test_a_machine_that_lacks_something_is_seen(hardfork: str, missing: tuple[str, ...]) -> None:
    with Anvil(hardfork=hardfork) as anvil:
        assert missing_features(anvil.node) == missing
        found = findings(anvil.node, network("anvil"))["machine"]
    assert found.ok is not bool(missing)
    assert not missing or f"lacks {', '.join(missing)}" in found.says


def test_a_limit_is_not_taken_for_a_missing_feature(chain: EmbeddedChain, ours: Network) -> None:
    found = findings(Odd(chain, eth_call=LimitedError("https://node", "HTTP status 429")), ours)
    assert "limits how often" in found["machine"].says
    assert "limits how often" in found["USDC"].says


def test_gas_that_is_too_dear_is_told(chain: EmbeddedChain, ours: Network) -> None:
    found = findings(Odd(chain, eth_maxPriorityFeePerGas=hex(10**13)), ours)["gas"]
    assert "more than the 500 gwei that are paid there unasked" in found.says
    assert "--max-fee" in found.fix


# Tokens


def test_a_token_without_code_is_refused(chain: EmbeddedChain, key: LocalSigner) -> None:
    with pytest.raises(ChainError, match=f"there is no code at {key.address}; check the token"):
        inspect_token(chain, key.address)


def test_a_contract_that_is_no_token_is_refused(chain: EmbeddedChain) -> None:
    with pytest.raises(ChainError, match="is not an ERC-20 token"):
        inspect_token(chain, network("embedded").contract)


def test_a_contract_that_answers_everything_is_no_token(chain: EmbeddedChain) -> None:
    word = "0x" + (0x20).to_bytes(32, "big").hex()
    with pytest.raises(ChainError, match="has no symbol that can be read"):
        inspect_token(Odd(chain, eth_call=word), network("embedded").contract)


def test_what_a_token_cannot_do_is_said(chain: EmbeddedChain, ours: Network) -> None:
    def plain(params: Sequence[Any], truth: Any) -> object:
        if params[0].get("data", "")[:10] in ("0x7ecebe00", "0xe94a0102"):
            raise RpcError("execution reverted")
        return truth()

    found = findings(Odd(chain, eth_call=plain), ours)["USDC"]
    assert found.ok
    assert "without permit and ERC-3009" in found.says


def saying(chain: EmbeddedChain, token: Address, answers: Mapping[str, bytes]) -> Odd:
    """The node, behind which a token answers these functions so."""
    by_selector = {
        "0x" + keccak(name.encode())[:4].hex(): "0x" + answer.hex()
        for name, answer in answers.items()
    }

    def answer(params: Sequence[Any], truth: Any) -> object:
        asked = params[0].get("data", "")[:10] if params[0].get("to") == token else ""
        return by_selector[asked] if asked in by_selector else truth()

    return Odd(chain, eth_call=answer)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def test_a_token_whose_domain_is_not_known_takes_only_allowances(
    chain: EmbeddedChain, ours: Network
) -> None:
    # Bridged dollars carry the chain in a salt.
    salted = encode(
        ("bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]"),
        (b"\x1b", "USD Coin (PoS)", "1", 0, ours.token("USDC").address, word(CHAIN_ID), ()),
    )
    told = {"eip712Domain()": salted, "DOMAIN_SEPARATOR()": word(7)}
    node = saying(chain, ours.token("USDC").address, told)
    found = findings(node, ours)["USDC"]
    assert "without permit and ERC-3009: its signing domain has a form" in found.says


def test_the_letters_in_one_word_are_a_symbol(chain: EmbeddedChain, ours: Network) -> None:
    token = ours.token("USDC").address
    letters = {"symbol()": b"MKR".ljust(32, b"\0"), "decimals()": word(18)}
    maker = saying(chain, token, letters)
    assert inspect_token(maker, token) == Token("MKR", token, 18)
    with pytest.raises(ChainError, match="has no symbol that can be read"):
        inspect_token(saying(chain, token, {"symbol()": word(7)}), token)


def test_decimals_that_nobody_can_count_in_are_refused_with_the_number(
    chain: EmbeddedChain, ours: Network
) -> None:
    token = ours.token("USDC").address
    with pytest.raises(ChainError, match="USDC, says that it has 50 decimals; amounts are counted"):
        inspect_token(saying(chain, token, {"decimals()": word(50)}), token)


@pytest.mark.parametrize("name", DENIES)
def test_what_the_issuer_stopped_is_found(chain: EmbeddedChain, ours: Network, name: str) -> None:
    token = ours.token("USDC").address
    told = {f"{one}(address)": b"" for one in DENIES if one != name}
    told |= {"paused()": word(1), f"{name}(address)": word(1)}
    node = saying(chain, token, told)
    found = [one for one in examine_network(ours, node, now=NOW) if one.what == "USDC"][1:]
    assert [one.says for one in found] == [
        "its issuer has paused all transfers",
        f"its issuer has denylisted the contract, {contract_address(ours)}",
    ]
    assert "no other account helps" in found[1].fix
    assert not any(one.ok for one in found)


def test_a_denylisted_key_is_told_before_it_pays(
    chain: EmbeddedChain, ours: Network, key: LocalSigner, tmp_path: Path
) -> None:
    place = bytes.fromhex(ours.token("USDC").address[2:])
    chain.send_from(20, place, denylist_call(key.address, True))
    found = look(chain, ours, tmp_path, Holder("mine", key.address))["key mine"]
    assert f"{key.address} is denylisted by the issuer of USDC" in [one.says for one in found]


def test_a_token_that_says_something_else_is_refused(chain: EmbeddedChain, ours: Network) -> None:
    address = ours.token("USDC").address
    found = findings(chain, replace(ours, tokens=(Token("USDC", address, 18),)))["USDC"]
    assert "says that it is USDC with 6 decimals, not USDC with 18" in found.says
    assert "[ours.tokens]" in found.fix


# The whole examination


def look(node: Node, chosen: Network, state: Path, *holders: Holder) -> dict[str, list[Finding]]:
    by_name: dict[str, list[Finding]] = {}
    for finding in examine(chosen, node, holders, now=NOW, state=state):
        by_name.setdefault(finding.what, []).append(finding)
    return by_name


def test_what_is_missing_comes_with_its_command(
    chain: EmbeddedChain, ours: Network, key: LocalSigner, tmp_path: Path
) -> None:
    found = look(chain, replace(ours, tokens=()), tmp_path)
    assert found["contract"][0].fix == "`escrow deploy --network ours`"
    assert found["key"][0].fix == "make one with `escrow key new NAME`"
    assert "--token USDC=ADDRESS" in found["USDC"][0].fix
    poor = look(chain, ours, tmp_path, Holder("mine", key.address))["key mine"]
    assert "has 0.000000 ETH for gas" in poor[0].says
    assert poor[0].fix.startswith("send it at least ")
    # Whoever only verifies needs no tokens.
    assert poor[1].ok
    assert "faucet.circle.com" in poor[1].fix


def test_after_deploying_and_paying_everything_is_right(
    chain: EmbeddedChain, ours: Network, key: LocalSigner, tmp_path: Path
) -> None:
    chain.send_from(1, bytes.fromhex(key.address[2:]), value=10**18)
    deploy(chain, plan_deployment(chain, ours, key.address), key, [tmp_path])
    found = look(chain, ours, tmp_path, Holder("mine", key.address))
    assert all(finding.ok for several in found.values() for finding in several)
    assert "byte for byte" in found["contract"][0].says
    unrecorded = look(chain, ours, tmp_path / "else", Holder("mine", key.address))["contract"][0]
    assert unrecorded.fix == "record it with `escrow deploy --network ours`"


def test_a_missing_deployer_is_told(chain: EmbeddedChain, ours: Network, tmp_path: Path) -> None:
    chosen = replace(ours, deployer=LocalSigner(b"\x78" * 32).address)
    found = look(chain, chosen, tmp_path)["contract"][0]
    assert "has no deterministic deployer" in found.says
    assert found.fix == "correct `deployer` in its table"


def test_other_code_than_the_contract_is_told(
    chain: EmbeddedChain, ours: Network, tmp_path: Path
) -> None:
    chosen = replace(ours, contract=ours.token("USDC").address)
    found = look(chain, chosen, tmp_path)["contract"][0]
    assert "is not the escrow contract of this version" in found.says
