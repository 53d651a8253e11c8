"""`escrow sandbox`: a private chain in one terminal, for trying everything in another."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.options import speaks
from milestone_escrow.cli.shell.session import Session


@click.group(invoke_without_command=True, short_help="Run a private chain with everything set up.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Instead of 8547.")
@click.option(
    "--page-port", type=click.IntRange(1, 65_535), metavar="PORT", help="Instead of 8548."
)
@click.option("--no-page", is_flag=True, help="Serve the chain only.")
@click.option("--start", metavar="DATE", help="Let its clock start on this day, not today.")
@click.option("--no-keeper", is_flag=True, help="Finalize nothing; leave that to people.")
@click.pass_context
def sandbox(
    ctx: click.Context,
    port: int | None,
    page_port: int | None,
    no_page: bool,
    start: str | None,
    no_keeper: bool,
) -> None:
    """Run a private chain with everything set up, until you stop it with Ctrl-C.

    It has the escrow contract, test USDC, and accounts for everybody in the examples. A keeper
    finalizes what falls due. It serves this machine only, the chain at http://127.0.0.1:8547 and a
    page for wallets at http://127.0.0.1:8548, and forgets everything when it stops. Every other
    command, in another terminal, uses it by itself.

    \b
    Examples:
      escrow sandbox
      escrow sandbox --start 2027-01-14 --port 8600
      escrow sandbox warp 3d                   in another terminal: three days pass
      escrow sandbox mint buyer 5,000.00       in another terminal: more test money
    """
    if ctx.invoked_subcommand is None:
        from milestone_escrow.cli.sandbox.hosting import host

        page = None if no_page else page_port or 0
        host(Session(), port, start, keeps=not no_keeper, page=page)
    elif port or page_port or no_page or start or no_keeper:
        raise click.UsageError("these options are for starting a sandbox")


@sandbox.command(short_help="Let time pass in the running sandbox.")
@click.argument("duration", nargs=-1, required=True, metavar="DURATION")
@speaks
def warp(session: Session, duration: tuple[str, ...]) -> None:
    """Let time pass in the running sandbox; the keeper acts at each moment on the way.

    \b
    Examples:
      escrow sandbox warp 3d
      escrow sandbox warp 2 weeks
      escrow sandbox warp "1 day 12 hours"
    """
    from milestone_escrow.cli.sandbox.hosting import let_time_pass

    let_time_pass(session, " ".join(duration))


@sandbox.command(short_help="Give somebody test USDC in the running sandbox.")
@click.argument("who", metavar="NAME|ADDRESS")
@click.argument("amount")
@speaks
def mint(session: Session, who: str, amount: str) -> None:
    """Give somebody test USDC and, where it has none, coin for gas.

    NAME is a role of the sandbox (buyer, supplier, verifier-1, arbiter …) or one of your keys.

    \b
    Examples:
      escrow sandbox mint buyer 250,000.00
      escrow sandbox mint mykey 1000
      escrow sandbox mint 0xF1F6619B38A98d6De0800F1DefC0a6399eB6d30C 1000
    """
    from milestone_escrow.cli.sandbox.hosting import give

    give(session, who, amount)
