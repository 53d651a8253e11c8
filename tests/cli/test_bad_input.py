"""Whatever is wrong around a command: one sentence, the right status, and nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.cli.shell import session as shell_session
from milestone_escrow.documents.files.signed_agreement import signed_path
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Result, Run, Unchanged


def refused(result: Result, status: int, sentence: str) -> None:
    assert (result.status, result.out) == (status, "")
    assert sentence in result.err
    assert result.err.startswith("Error: ")
    assert result.err.count("\n") == 1


def test_an_agreement_that_is_not_open(escrow: Run, signed: Path, unchanged: Unchanged):
    for line in (
        ("fund", "SHED-7"),
        ("attest", "SHED-7", "walls", "--accept"),
        ("finalize", "SHED-7"),
        ("withdraw", "SHED-7"),
        ("settle", "SHED-7", "walls", "--to-supplier", "all"),
    ):
        with unchanged():
            result = escrow(*line, "--yes")
        refused(result, 1, "SHED-7 is not open on Sandbox; the buyer opens it with `escrow open")


def test_an_agreement_that_nobody_knows(escrow: Run, home: Path):
    refused(escrow("status", "PO-1"), 2, "there is no agreement 'PO-1' here")


def test_a_milestone_that_does_not_exist(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("approve", "SHED-7", "wall", "--yes")
    refused(result, 2, "'wall' is not a milestone of SHED-7; did you mean 'walls'?")
    with unchanged():
        result = escrow("approve", "SHED-7", "2", "--yes")
    refused(result, 2, "milestones have names, not numbers like 2; one of deposit, foundation")


def test_a_key_that_is_not_there(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("approve", "SHED-7", "walls", "--as", "nobody", "--yes")
    refused(result, 2, "there is no key 'nobody' here; there are buyer, supplier, surveyor")


def test_the_wrong_network(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("fund", "SHED-7", "--network", "sepolia", "--yes")
    refused(result, 2, "SHED-7 was made for sandbox, not for sepolia")


def test_a_network_that_does_not_exist(escrow: Run, deal: Path):
    result = escrow("agreement", "sign", str(deal), "--network", "sepolio", "--yes")
    refused(result, 2, "there is no network 'sepolio'; choose from")


def test_no_sandbox(escrow: Run, opened: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shell_session, "running_sandbox", lambda home: None)
    result = escrow("status", "SHED-7")
    refused(result, 2, "no sandbox is running; start one with `escrow sandbox` in another terminal")


def test_a_node_that_is_down(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("fund", "SHED-7", "--rpc", "http://127.0.0.1:9", "--yes")
    refused(result, 1, "no node answers at http://127.0.0.1:9")


def test_a_node_on_another_chain(
    escrow: Run, opened: Path, unchanged: Unchanged, monkeypatch: pytest.MonkeyPatch
):
    other = EmbeddedChain(chain_id=5)
    monkeypatch.setattr(shell_session, "running_sandbox", lambda home: other)
    with unchanged():
        result = escrow("fund", "SHED-7", "--yes")
    refused(result, 1, "the node is on chain 5, but Sandbox is chain 1296388931")


def test_a_contract_address_without_code(
    escrow: Run, opened: Path, unchanged: Unchanged, monkeypatch: pytest.MonkeyPatch
):
    empty = EmbeddedChain()
    monkeypatch.setattr(shell_session, "running_sandbox", lambda home: empty)
    with unchanged():
        result = escrow("fund", "SHED-7", "--yes")
    refused(result, 1, "there is no contract at 0xBbcBa0436641eEbfEf117b7185573B146487a1AA")


def test_a_damaged_signed_file(escrow: Run, signed: Path, unchanged: Unchanged):
    file = signed_path(signed)
    fields = json.loads(file.read_text("utf-8"))
    fields["terms"]["feeBps"] = "500"
    file.write_text(json.dumps(fields), encoding="utf-8")
    with unchanged():
        result = escrow("open", str(file), "--yes")
    refused(result, 2, "the terms are not those of the document; do not sign or open it")


def test_an_unknown_command(escrow: Run):
    refused(escrow("attset"), 2, "there is no command 'attset'; did you mean `escrow attest`?")


def test_an_unknown_option(escrow: Run):
    result = escrow("fund", "SHED-7", "--al")
    refused(result, 2, "--al")
    assert "escrow fund --help" in result.err


def test_a_missing_argument(escrow: Run):
    refused(escrow("submit", "SHED-7"), 2, "issing argument 'MILESTONE'")
    refused(escrow("approve", "SHED-7"), 2, "name one by its key, or add --all")


def test_a_state_folder_that_cannot_be_written(
    escrow: Run, deal: Path, monkeypatch: pytest.MonkeyPatch
):
    blocked = Path("blocked")
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setenv("ESCROW_HOME", str(blocked.resolve()))
    result = escrow("agreement", "sign", str(deal), "--as", "buyer", "--yes")
    assert result.status == 2
    assert "blocked/agreements: cannot be read (Not a directory)" in result.err


def test_errors_are_json_where_json_was_asked_for(escrow: Run, opened: Path):
    result = escrow("approve", "SHED-7", "wall", "--yes", "--json")
    assert (result.status, result.out) == (2, "")
    error = json.loads(result.err)["error"]
    assert error["message"] == "'wall' is not a milestone of SHED-7"
    assert error["hint"].startswith("did you mean 'walls'?")
    assert json.loads(escrow("attset", "--json").err)["error"]["message"].startswith("there is no")


def test_an_unforeseen_error_is_one_sentence(
    escrow: Run, opened: Path, world: World, monkeypatch: pytest.MonkeyPatch
):
    from click.testing import CliRunner

    from milestone_escrow.cli import cli

    def explode(*_: object) -> None:
        raise RuntimeError("a bug\nwith two lines")

    monkeypatch.setattr(type(world.chain), "request", explode)
    done = CliRunner().invoke(cli, ["status", "SHED-7"])
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "RuntimeError: a bug" in done.stderr
    assert "ESCROW_DEBUG=1" in done.stderr


def test_an_interruption_says_whether_something_was_sent(
    escrow: Run, opened: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("milestone_escrow.cli.shell.desk.Desk.send", interrupt)
    result = escrow("approve", "SHED-7", "walls", "--yes")
    assert result.status == 130
    assert "a transaction may be on its way" in result.err
    monkeypatch.setattr("milestone_escrow.cli.shell.desk.Desk.standing", interrupt)
    result = escrow("approve", "SHED-7", "walls", "--yes")
    assert (result.status, result.out) == (130, "")
    assert result.err.strip() == "Error: stopped; nothing was sent"
