"""What `escrow sandbox`, its `warp` and its `mint` do."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from milestone_escrow.cli.oracle.serving import Shelf, listen, origin_of, served
from milestone_escrow.cli.shell.output import bold, command, dim, table
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.money import format_amount, parse_amount
from milestone_escrow.documents.when import UTC, format_time, parse_duration, read_date
from milestone_escrow.errors import ChainError, EscrowError, UsageError
from milestone_escrow.sandbox.record import Record, read_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from milestone_escrow.chain.contract.client import Escrow
    from milestone_escrow.documents.agreement import Agreement
    from milestone_escrow.protocol.eip712 import Address
    from milestone_escrow.sandbox.process import Sandbox

TICK = 0.25
PAGE_PORT = 8548
ETHER = 10**18


def host(
    session: Session, port: int | None, start: str | None, *, keeps: bool, page: int | None
) -> None:
    """Run a sandbox until somebody stops it. `page` is the port of its page: 0 is the usual one or,
    where that is taken, any; None is no page.

    Raises:
        EscrowError: one is running already.
        ChainError: the port is taken.
    """
    first = _start(start)
    session.say("Starting a sandbox …")
    if (running := read_record(session.home.sandbox)) and running.answers():
        raise EscrowError(
            f"a sandbox is running already at {running.url} (process {running.pid})",
            hint="stop it with Ctrl-C in its terminal, or set ESCROW_HOME to another folder",
        )
    from milestone_escrow.chain.embedded.server import PORT
    from milestone_escrow.sandbox.process import Sandbox

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    sandbox = Sandbox(_library(session), port=port or PORT, start=first, keeps=keeps)
    record = Record(
        url=sandbox.server.url,
        pid=os.getpid(),
        chain_id=sandbox.network.chain_id,
        contract=sandbox.escrow.contract,
        token=sandbox.escrow.token("USDC").address,
    )
    with sandbox.server, _page(session, sandbox, page) as shown_at:
        record.write(session.home.sandbox)
        try:
            _greet(session, sandbox, record, shown_at)
            while not stop.wait(TICK):
                _tell(session, sandbox)
            _tell(session, sandbox)
        finally:
            record.remove(session.home.sandbox)
    session.say("\nThe sandbox has stopped; nothing of its chain remains.")


@contextmanager
def _page(session: Session, sandbox: Sandbox, port: int | None) -> Iterator[str]:
    """Serve the page until the block ends; gives its address, "" without one.

    It comes up in a thread: nobody who only wants the chain waits for it.
    """
    if port is None:
        yield ""
        return
    listening, over = listen("127.0.0.1", port) if port else _listen_somewhere(), threading.Event()
    url = origin_of("127.0.0.1", listening)
    work = threading.Thread(
        target=_serve_page, args=(session, sandbox, listening, url, over), daemon=True
    )
    work.start()
    try:
        yield url
    finally:
        over.set()
        work.join(10)


def _serve_page(
    session: Session, sandbox: Sandbox, listening: socket.socket, url: str, over: threading.Event
) -> None:
    """Whoever stops the sandbox early need not hear that its page did not come up."""
    try:
        with listening:
            _run_page(session, sandbox, listening, url, over)
    except EscrowError as error:
        if not over.is_set():
            session.say(f"The page cannot be served: {error}")


def _run_page(
    session: Session, sandbox: Sandbox, listening: socket.socket, url: str, over: threading.Event
) -> None:
    """With a store that lasts as long as the sandbox."""
    from milestone_escrow.chain.contract.client import Escrow
    from milestone_escrow.keys.local_signers import DevSigner
    from milestone_escrow.keys.sandbox_people import ROLES
    from milestone_escrow.oracle.assembly import Parts, assemble
    from milestone_escrow.oracle.settings import Settings
    from milestone_escrow.oracle.store.store import Store

    # Through the server, as everybody else: the chain itself serves one at a time.
    escrow = Escrow.connect("sandbox", rpc=sandbox.server.url)
    with TemporaryDirectory(prefix="escrow-") as folder:
        store = Store.open(Path(folder) / "page.db", escrow.domain)
        evidence, relayer = Path(folder) / "evidence", DevSigner(ROLES["host"])
        parts = Parts(store, escrow, Settings(), relayer=relayer, evidence=evidence, origin=url)
        shelf = Shelf(session, store, escrow.domain)
        try:
            with served(assemble(parts), listening):
                while not over.wait(TICK):
                    shelf.look(sandbox.chain.time)
        finally:
            store.close()


def _listen_somewhere() -> socket.socket:
    """Several sandboxes may run on one machine; the first has the page where it is expected."""
    try:
        return listen("127.0.0.1", PAGE_PORT)
    except ChainError:
        return listen("127.0.0.1", 0)


def let_time_pass(session: Session, duration: str) -> None:
    """Warp the running sandbox and say what happened meanwhile."""
    seconds = parse_duration(duration)
    if seconds <= 0:
        raise UsageError("no time passes", hint="write 3d, 2 weeks or 12 hours")
    escrow = _running(session)
    from milestone_escrow.sandbox.process import MAX_WARP

    if seconds > MAX_WARP:
        raise UsageError(f"'{duration}' is too long", hint="warp at most 20 years at once")
    lines = [str(line) for line in escrow.node.request("sandbox_warp", [seconds])]
    now = escrow.now()
    for line in lines:
        session.say(line)
    if not lines:
        session.say("Nothing fell due.")
    session.say(f"It is now {bold(format_time(now, UTC))} in the sandbox.")
    session.emit({"now": now, "seconds": seconds, "happened": lines})


def give(session: Session, who: str, amount: str) -> None:
    """Mint test USDC for somebody, and coin for gas where there is none."""
    from milestone_escrow.keys.local_signers import DevSigner
    from milestone_escrow.protocol.devchain import SANDBOX_OPERATOR

    escrow = _running(session)
    token = escrow.token("USDC")
    units = parse_amount(amount, token)
    if units <= 0:
        raise UsageError("0 is nothing to give", hint="write an amount as 1,000.00")
    account = _account(session, who)
    operator = DevSigner(SANDBOX_OPERATOR)
    receipt = escrow.acting_as(operator).mint(token.symbol, account, units)
    balance = escrow.balance(token, account)
    session.say(f"{who} has been given {format_amount(units, token)} of test money.")
    if _gas_money(escrow, account) == 0:
        gift = {"from": operator.address, "to": account, "value": hex(10 * ETHER)}
        escrow.node.request("eth_sendTransaction", [gift])
        session.say("And 10 test ETH to pay for gas.")
    session.say(f"The account {account} has {format_amount(balance, token)} now.")
    session.emit(
        {
            "account": account,
            "minted": str(units),
            "balance": str(balance),
            "balance_text": format_amount(balance, token),
            "transaction": receipt.transaction,
        }
    )


def _tell(session: Session, sandbox: Sandbox) -> None:
    for line in sandbox.tick():
        session.say(line)


def _greet(session: Session, sandbox: Sandbox, record: Record, page: str) -> None:
    token = sandbox.escrow.token("USDC")
    rows = [
        (
            person.role,
            person.account,
            format_amount(units, token, symbol=False),
            f"{wei // ETHER:,}",
        )
        for person, wei, units in sandbox.people()
    ]
    session.say(f"\n{bold('A private chain is running')} at {record.url}, chain {record.chain_id}.")
    session.say(f"Its clock says {format_time(sandbox.chain.time, UTC)}.\n")
    if page:
        session.say(f"Its page, for wallets, is at {bold(page)}.\n")
    session.say(f"escrow contract  {record.contract}")
    session.say(f"test USDC        {record.token}\n")
    session.say(table(rows, ("role", "account", "test USDC", "test ETH"), right=(2, 3)))
    session.say(
        dim("\nEverybody knows the keys of these accounts (1 to 20): never send them real money.")
    )
    session.say("\nIn another terminal:")
    for line in ("agreement new", "status", "sandbox warp 3d"):
        session.say(f"  {command(f'escrow {line}')}")
    session.say("\nWhat happens is told here. Ctrl-C stops the sandbox and forgets everything.\n")


def _start(text: str | None) -> int | None:
    """Unix seconds of that day at the present time of day, or None for now."""
    if text is None:
        return None
    now = datetime.now().astimezone()
    return int(datetime.combine(read_date(text), now.timetz()).timestamp())


def _running(session: Session) -> Escrow:
    from milestone_escrow.chain.contract.client import Escrow

    record = read_record(session.home.sandbox)
    if record is None:
        raise EscrowError(
            "no sandbox is running", hint="start one with `escrow sandbox` in another terminal"
        )
    return Escrow.connect("sandbox", rpc=record.url, contract=record.contract)


def _account(session: Session, who: str) -> Address:
    from milestone_escrow.keys.keystore import Keystore
    from milestone_escrow.keys.sandbox_people import account_of

    for key in Keystore(session.home.keys).list():
        if key.name == who:
            return key.address
    return account_of(who)


def _gas_money(escrow: Escrow, account: Address) -> int:
    return int(escrow.node.request("eth_getBalance", [account, "latest"]), 16)


def _library(session: Session) -> Callable[[bytes], Agreement | None]:
    def find(agreement_id: bytes) -> Agreement | None:
        try:
            signed = session.shelf.get(agreement_id)
        except EscrowError:
            return None
        return signed.agreement if signed else None

    return find
