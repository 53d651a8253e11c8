"""The sources at explorers: what they are sent compiles to what is deployed, or they say no."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from milestone_escrow.chain.deploy.deploying import deploy, plan_deployment
from milestone_escrow.chain.deploy.deployments import Deployment
from milestone_escrow.chain.deploy.explorers import Verified, verify_at
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.node.network import ExplorerApi, Network
from milestone_escrow.errors import ChainError
from milestone_escrow.keys import LocalSigner
from tests.support.explorer import KEY, Explorer, explorer
from tests.support.nodes import Odd

OURS = Network("ours", "Ours", 5)
KINDS = ("etherscan", "blockscout", "sourcify")


@pytest.fixture(scope="module")
def chain() -> EmbeddedChain:
    chain = EmbeddedChain(chain_id=5)
    chain.send_from(1, bytes.fromhex(LocalSigner(b"\x77" * 32).address[2:]), value=10**20)
    return chain


@pytest.fixture(scope="module")
def made(chain: EmbeddedChain) -> Deployment:
    signer = LocalSigner(b"\x77" * 32)
    return deploy(chain, plan_deployment(chain, OURS, signer.address), signer)


@pytest.fixture
def site(chain: EmbeddedChain) -> Iterator[Explorer]:
    with explorer(chain) as site:
        yield site


def api(site: Explorer, kind: str) -> ExplorerApi:
    return ExplorerApi(kind, site.url if kind == "sourcify" else f"{site.url}/api")


def submit(site: Explorer, kind: str, made: Deployment, key: str = KEY) -> Verified:
    return verify_at(api(site, kind), OURS, made, key, patience=5, pause=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_sources_that_are_sent_compile_to_what_is_deployed(
    site: Explorer, kind: str, made: Deployment
) -> None:
    done = submit(site, kind, made)
    assert (done.explorer, done.was_known) == (kind, False)
    assert done.host == site.url.removeprefix("http://")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_sources_of_other_code_are_refused(
    site: Explorer, chain: EmbeddedChain, kind: str, made: Deployment
) -> None:
    def changed(_: Sequence[object], truth: Any) -> str:
        return "0x00" + truth()[4:]

    site.node = Odd(chain, eth_getCode=changed)
    with pytest.raises(ChainError, match=r"refuses the sources: .*; the contract is there all the"):
        submit(site, kind, made)


@pytest.mark.slow
def test_an_explorer_that_does_not_know_the_contract_yet_is_asked_again(
    site: Explorer, made: Deployment
) -> None:
    site.unaware = 2
    submit(site, "etherscan", made)
    assert [asked["action"] for asked in site.asked].count("verifysourcecode") == 3


@pytest.mark.slow
def test_sourcify_is_told_the_creating_transaction(site: Explorer, made: Deployment) -> None:
    submit(site, "sourcify", made)
    assert site.asked[0]["creationTransactionHash"] == made.transaction


@pytest.mark.parametrize("kind", KINDS)
def test_an_explorer_that_refuses_is_one_sentence(
    site: Explorer, kind: str, made: Deployment
) -> None:
    site.refuses = "Max rate limit reached."
    with pytest.raises(ChainError) as refusal:
        submit(site, kind, made)
    assert str(refusal.value) == (
        f"the explorer at {site.url.removeprefix('http://')} refuses the sources: Max rate limit "
        "reached; the contract is there all the same; run `escrow deploy --verify` again later"
    )


@pytest.mark.parametrize("kind", ["etherscan", "blockscout"])
def test_sources_that_are_there_already_are_all_right(
    site: Explorer, kind: str, made: Deployment
) -> None:
    site.refuses = "Contract source code already verified"
    assert submit(site, kind, made).was_known


def test_etherscan_wants_a_key_before_anything_is_sent(site: Explorer, made: Deployment) -> None:
    with pytest.raises(ChainError, match="wants an access key; get one there for nothing"):
        submit(site, "etherscan", made, key="")
    assert site.asked == []


def test_a_wrong_key_is_not_repeated(site: Explorer, made: Deployment) -> None:
    with pytest.raises(ChainError, match="refuses the sources: Invalid API Key") as refusal:
        submit(site, "etherscan", made, key="my-secret-key")
    assert "my-secret-key" not in str(refusal.value)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["etherscan", "sourcify"])
def test_an_explorer_that_never_finishes_is_given_up(
    site: Explorer, kind: str, made: Deployment
) -> None:
    site.busy = 10**6
    with pytest.raises(ChainError, match="has not finished in time"):
        verify_at(api(site, kind), OURS, made, KEY, patience=0.05, pause=0.01)


def test_an_explorer_that_is_away_is_one_sentence(made: Deployment) -> None:
    nobody = ExplorerApi("sourcify", "http://127.0.0.1:9")
    with pytest.raises(ChainError, match=r"the explorer at 127\.0\.0\.1:9 does not answer"):
        verify_at(nobody, OURS, made, patience=1, pause=0.01)
