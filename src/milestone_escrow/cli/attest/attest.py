"""`escrow attest`: a verifier's signed verdict on a milestone."""

from __future__ import annotations

import re
from pathlib import Path

import click

from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.paper import Paper
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.errors import UsageError

# Of a batch at an oracle; `batches/0x…` will do where --oracle names it.
_ADDRESS = re.compile(r"((?P<oracle>https?://.+)/v1/)?batches/0x(?P<digest>[0-9a-fA-F]{64})")


@click.command(short_help="Sign a verdict on a milestone as its verifier.")
@click.argument("names", nargs=-1, metavar="AGREEMENT MILESTONE")
@click.option("--accept", is_flag=True, help="It is done: pay it.")
@click.option("--amount", metavar="PART", help="How much of it is done so far: 60%, 12,000.00.")
@click.option("--return", "returned", metavar="REASON", help="Not yet: do it again. Pays nobody.")
@click.option("--reject", "rejected", metavar="REASON", help="It failed: give the money back.")
@click.option(
    "--evidence",
    multiple=True,
    metavar="FILE",
    help="A file or folder that was looked at; may be repeated.",
)
@click.option(
    "--sign-only",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the signature to FILE and send nothing; needs no node.",
)
@click.option("--submit", is_flag=True, help="Send what others have signed: name their FILEs.")
@click.option(
    "--batch",
    metavar="LIST",
    help="A list of verdicts (YAML, JSON or CSV), for one signature and one transaction; or the "
    "address of a batch that an oracle has.",
)
@click.option(
    "--oracle",
    metavar="URL",
    help="The oracle to ask for evidence and to give the signature to; one that runs on this "
    "machine is found by itself. `none`: no oracle.",
)
@click.option("--valid-for", metavar="TIME", default="30 days", help="How long it may be used.")
@sends
def attest(
    session: Session,
    names: tuple[str, ...],
    accept: bool,
    amount: str | None,
    returned: str | None,
    rejected: str | None,
    evidence: tuple[str, ...],
    sign_only: Path | None,
    submit: bool,
    batch: str | None,
    oracle: str | None,
    valid_for: str,
) -> None:
    """Sign a verdict on a milestone as its verifier; when enough have signed, it is sent.

    With an oracle, what must be shown and the evidence are fetched, verified and shown first; then
    the verdict is asked for where none is given, and the oracle collects the signatures and sends.

    Without one, or where it is away, signatures that are still too few are kept, and the next
    verifier on this machine completes them. On another machine, sign to a file with --sign-only: a
    second verifier continues the same file, or somebody sends all files with --submit, in any
    order.

    --amount is what is done so far in all, not what is new. --reject asks twice.

    --batch takes a list with the fields agreement, milestone, verdict (accepted or rejected) and,
    where needed, amount, reason and evidence: in YAML or JSON under `verdicts:`, in CSV as
    columns. What can no longer be decided when it arrives is skipped, and told. An oracle takes the
    batch in whole and collects its signatures; the next verifier gives the same list, or the
    batch's address, to look at what others have signed and sign it, too.

    \b
    Examples:
      escrow attest PO-2027-0114 packed --oracle https://oracle.example
      escrow attest PO-2027-0114 manufactured --accept --evidence inspection.pdf
      escrow attest PO-2027-0114 manufactured --accept --amount 60%
      escrow attest PO-2027-0114 packed --return "Carton 14 is open" --as inspector
      escrow attest deal.signed.json departed --accept --sign-only departed.json
      escrow attest --submit departed.json departed-2.json
      escrow attest --batch inspections.csv --as inspector
      escrow attest --batch https://oracle.example/v1/batches/0x5d50…
    """
    from milestone_escrow.cli.attest import attesting
    from milestone_escrow.cli.attest.verdicts import one_verdict
    from milestone_escrow.cli.attest.wanted import WantedVerdict
    from milestone_escrow.protocol.acts import Verdict

    single = (accept, amount, returned, rejected, evidence)
    if oracle and (submit or sign_only):
        raise UsageError(
            "--oracle takes a signature as it is made",
            hint="leave it out, or --submit and the like",
        )
    if batch:
        if names or submit or any(single):
            raise UsageError("--batch has its verdicts in the list", hint="name only the list")
        _attest_batch(session, batch, Paper(sign_only, valid_for), oracle)
        return
    if submit:
        if sign_only or any(single):
            raise UsageError("--submit sends what is signed", hint="name only the files")
        attesting.submit_files(session, [Path(name) for name in names])
        return
    if len(names) != 2:
        raise UsageError(
            "this needs an agreement and a milestone",
            hint="as in `escrow attest PO-2027-0114 packed --accept`",
        )
    given = [accept, returned is not None, rejected is not None]
    if sum(given) > 1 or (sign_only and not any(given)):
        raise one_verdict()
    if amount and not accept:
        raise UsageError("--amount belongs to --accept", hint="leave it out")
    if not any(given):
        attesting.sign_and_send(
            session, *names, None, oracle=oracle, evidence=evidence, valid_for=valid_for
        )
        return
    verdicts = (Verdict.ACCEPTED, Verdict.RETURNED, Verdict.REJECTED)
    wish = WantedVerdict(
        verdict=verdicts[given.index(True)],
        part=amount,
        reason=returned or rejected or "",
        evidence=evidence,
        valid_for=valid_for,
    )
    if not accept and not wish.reason.strip():
        raise UsageError("the reason is empty", hint="say in a sentence what is wrong")
    if sign_only:
        attesting.sign_to_file(session, *names, wish, sign_only)
    else:
        attesting.sign_and_send(session, *names, wish, oracle=oracle)


def _attest_batch(session: Session, batch: str, paper: Paper, oracle: str | None) -> None:
    address = _ADDRESS.fullmatch(batch)
    if address is None:
        from milestone_escrow.cli.attest.batching import attest_list

        attest_list(session, Path(batch), paper, oracle)
        return
    from milestone_escrow.cli.attest.oracle_batching import attest_digest

    if paper.file:
        raise UsageError("an oracle has this batch", hint="sign it there, without --sign-only")
    attest_digest(session, bytes.fromhex(address["digest"]), oracle or address["oracle"])
