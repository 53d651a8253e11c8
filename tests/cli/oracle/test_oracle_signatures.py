"""A key's history, from one machine's store to another's by a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_HASH
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run
from tests.cli.running import Oracle, Shared, running_oracle

SURVEYOR = DevSigner(3)


@pytest.fixture
def oracle(world: World, node: Shared, home: Path, opened: Path) -> Iterator[Oracle]:
    """An oracle whose own key, the surveyor's, has accepted the foundation."""
    from milestone_escrow.oracle.assembly import Parts, guarded_signer
    from milestone_escrow.oracle.policies.limits import Limits
    from milestone_escrow.oracle.settings import Settings

    with running_oracle(world, node, home) as found:
        found.instance.service.tick()
        found.register()
        parts = Parts(found.store, found.instance.escrow, Settings(), verifier=SURVEYOR,
                      new_key=True, clock=lambda: world.now)  # fmt: skip
        guarded = guarded_signer(parts, Limits.parse({}, real_money=False))
        guarded._why_not = lambda *_: ()
        (agreement_id,) = _ids(found)
        assert guarded.attest(agreement_id, 1, 3_000_000_000, ZERO_HASH, world.now) is not None
        yield found


def _ids(oracle: Oracle) -> list[bytes]:
    from milestone_escrow.oracle import viewing

    with oracle.store.reading() as connection:
        return viewing.ids_of(connection)


def test_moves_a_history_to_another_store(escrow: Run, oracle: Oracle, home: Path) -> None:
    here = str(home.parent / "oracle.db")
    done = escrow("oracle", "signatures", "export", "-o", "history.json", "--store", here, "--json")
    assert done.json == {
        "file": "history.json",
        "signers": [SURVEYOR.address],
        "decisions": 1,
    }
    assert Path("history.json").stat().st_mode & 0o777 == 0o600
    for added, known in ((1, 0), (0, 1)):
        result = escrow("oracle", "signatures", "import", "history.json", "--store", "there.db",
                        "--json")  # fmt: skip
        assert result.status == 0, result.err
        assert (result.json["added"], result.json["known"]) == (added, known)
    assert Path("there.db").is_file()


def test_a_changed_file_is_refused(escrow: Run, oracle: Oracle, home: Path) -> None:
    here = str(home.parent / "oracle.db")
    escrow("oracle", "signatures", "export", "-o", "history.json", "--store", here)
    body = json.loads(Path("history.json").read_text())
    body["signers"][0]["decisions"] = []
    Path("history.json").write_text(json.dumps(body))
    result = escrow("oracle", "signatures", "import", "history.json", "--store", "there.db")
    assert result.status == 2
    assert "something in it was changed or left out" in result.err


def test_contradictions_are_told_and_fail(escrow: Run, oracle: Oracle, home: Path) -> None:
    from milestone_escrow.oracle.signing import protection
    from milestone_escrow.oracle.store.store import Store
    from milestone_escrow.protocol.acts import Attestation

    here = str(home.parent / "oracle.db")
    escrow("oracle", "signatures", "export", "-o", "history.json", "--store", here)
    body = json.loads(Path("history.json").read_text())["signers"][0]["decisions"][0]
    domain = oracle.store.domain
    other = Attestation(_ids(oracle)[0], 1, Verdict.REJECTED, 0, ZERO_HASH, body["issued_at"],
                        body["valid_until"])  # fmt: skip
    store = Store.open("there.db", domain)
    with store.transaction() as connection:
        protection.begin(connection, SURVEYOR.address, 1, declared_new=True)
        digest = other.typed_data(domain).digest()
        assert (
            protection.decide(connection, SURVEYOR.address, other, digest, other.issued_at) is None
        )
    store.close()
    result = escrow("oracle", "signatures", "import", "history.json", "--store", "there.db")
    assert result.status == 1
    assert "two different verdicts" in result.words
    assert "used on two machines" in result.err


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("export", "-o", "there.json", "--store", "nowhere.db"), 1),
        (("import", "nothing.json"), 2),
    ],
)
def test_says_what_is_missing(
    arguments: tuple[str, ...], status: int, escrow: Run, world: World
) -> None:
    assert escrow("oracle", "signatures", *arguments).status == status
