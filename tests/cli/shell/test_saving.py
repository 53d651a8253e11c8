"""-o, - and --force: nothing that lies somewhere is lost, and what is written is whole."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from milestone_escrow.cli.reference import commands
from milestone_escrow.cli.shell.saving import STDOUT, require_free, save, target
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.files.writing import write_private
from milestone_escrow.errors import EscrowError, UsageError
from tests.cli.conftest import Run


def test_one_option_for_one_thing() -> None:
    for name, command in commands():
        options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
        assert not {"--out", "--csv", "--file", "--save"} & options, name
        if "--output" in options:
            assert {"-o", "--force"} <= options, name


@pytest.mark.parametrize("usual", ["", "there.txt"])
def test_overwrites_nothing_without_force(tmp_path: Path, usual: str) -> None:
    there = tmp_path / "there.txt"
    there.write_text("mine")
    named, session = str(there) if usual else "", Session(output=None if usual else there)
    with pytest.raises(EscrowError, match="exists already"):
        target(session, named)
    with pytest.raises(EscrowError, match="exists already"):
        save(session, there, b"other")
    assert there.read_text() == "mine"
    session.force = True
    save(session, target(session, named), b"other")
    assert there.read_text() == "other"
    assert there.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [there]


def test_a_link_that_leads_nowhere_is_something_that_is_there(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    for refused in (lambda: require_free(Session(), link), lambda: save(Session(), link, b"x")):
        with pytest.raises(EscrowError, match="exists already"):
            refused()
    assert link.is_symlink()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    for force in (False, True):
        with pytest.raises(EscrowError, match="is a folder"):
            target(Session(output=tmp_path, force=force))


def test_a_device_is_written_to_and_stays_one(tmp_path: Path) -> None:
    save(Session(), target(Session(output=Path("/dev/null"))), b"gone")
    assert not Path("/dev/null").is_file()
    with pytest.raises(EscrowError, match="cannot be written"):
        save(Session(), Path("/dev/full"), b"too much")


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    def half() -> object:
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises(EscrowError, match="No space left"):
        write_private(tmp_path / "new", half(), fresh=True)  # type: ignore[arg-type]
    with pytest.raises(EscrowError, match="cannot be written"):
        write_private(tmp_path / "no" / "new", b"", fresh=True)
    assert not list(tmp_path.iterdir())


def test_standard_output_holds_the_file_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    session = Session(output=STDOUT)
    session.say("told aside")
    save(session, target(session), b"content")
    assert capsys.readouterr() == ("content", "told aside\n")
    with pytest.raises(UsageError, match="both print"):
        target(Session(output=STDOUT, as_json=True))


def test_a_paper_never_takes_the_agreements_place(escrow: Run, deal: Path) -> None:
    before = deal.read_bytes()
    result = escrow("agreement", "show", str(deal), "--yaml", "-o", str(deal))
    assert (result.status, result.out) == (1, "")
    assert f"{deal} exists already; name another with -o" in result.err
    assert deal.read_bytes() == before
    shown = escrow("agreement", "show", str(deal), "--yaml", "-o", "-")
    assert shown.out.encode() == before
    assert not Path("-").exists()
