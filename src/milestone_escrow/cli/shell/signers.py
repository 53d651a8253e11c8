"""Which key acts: the one that --as names, or the one key at hand that the verb needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from milestone_escrow.cli.shell.elsewhere import signers_at
from milestone_escrow.deals.absent import Absent
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.devchain import SANDBOX_ACCOUNTS, SANDBOX_CHAIN_ID, SANDBOX_OPERATOR

if TYPE_CHECKING:
    from milestone_escrow.chain.node.network import Network
    from milestone_escrow.cli.shell.session import Session
    from milestone_escrow.documents.agreement import BoundAgreement
    from milestone_escrow.protocol.eip712 import Address
    from milestone_escrow.protocol.signatures import Signer


FINANCIER = "financier"


@dataclass(frozen=True, slots=True)
class AtHand:
    """A key that could be used; `number` is that of a sandbox account, 0 for one's own keys.

    `signer` is there where the key is elsewhere, so that nothing has to be unlocked here.
    """

    name: str
    account: Address
    number: int = 0
    signer: Signer | None = field(default=None, compare=False)


@dataclass
class Named:
    """Whom --as names, and who there is: an all-clear for nobody would be none."""

    name: str | None
    there: set[str] = field(default_factory=set)

    def among(self, keys: Sequence[AtHand]) -> tuple[AtHand, ...]:
        """Those that are looked at; everybody where nobody is named."""
        self.there |= {key.name for key in keys}
        return tuple(key for key in keys if self.name in (None, key.name))

    def require(self) -> None:
        """Refuse a name that is nobody's.

        Raises:
            UsageError: with those that there are.
        """
        if self.name is not None and self.name not in self.there:
            from milestone_escrow.documents.source import suggest

            raise UsageError(
                f"there is no key or role '{self.name}' here",
                hint=suggest(self.name, sorted(self.there)) or "see `escrow key list`",
            )


def at_hand(session: Session, bound: BoundAgreement, chain_id: int) -> tuple[AtHand, ...]:
    """The keys in the state folder and, on the sandbox, the agreement's people there and its
    financier, who buys what others sell; with --signer the accounts there, and no others."""
    from milestone_escrow.keys import Keystore

    if session.signer_spec:
        return _elsewhere(session, bound, chain_id)

    own = [AtHand(key.name, key.address) for key in Keystore(session.home.keys).list()]
    if chain_id != SANDBOX_CHAIN_ID:
        return tuple(own)
    from milestone_escrow.keys.sandbox_people import account_of

    numbers = sandbox_numbers()
    people = {**bound.agreement.people}
    people.setdefault(FINANCIER, account_of(FINANCIER))
    taken = {key.name for key in own}
    there = [
        AtHand(role, account, numbers[account])
        for role, account in people.items()
        if account in numbers and role not in taken
    ]
    return (*own, *there)


def account_named(session: Session, bound: BoundAgreement, network: Network, name: str) -> Address:
    """An account, by itself, as a key here, or as a person of the agreement.

    Raises:
        UsageError: nobody is called that.
    """
    from milestone_escrow.documents.values import read_account

    if name.lower().startswith("0x"):
        return read_account(name)
    return _account(session, bound, network.chain_id, name)


def _account(session: Session, bound: BoundAgreement, chain_id: int, name: str) -> Address:
    known = {key.name: key.account for key in at_hand(session, bound, chain_id)}
    known |= bound.agreement.people
    if name not in known:
        raise UsageError(
            f"nobody is known here as '{name}'",
            hint=f"give the account, 0x and 40 hex digits, or one of {', '.join(known)}",
        )
    return known[name]


def names_at_hand(session: Session, bound: BoundAgreement, network: Network) -> dict[Address, str]:
    """The key to name with --as, by account."""
    found = at_hand(session, bound, network.chain_id)
    return {key.account: key.name for key in reversed(found)}


def sandbox_numbers() -> dict[Address, int]:
    """The sandbox's accounts: whose private key is which number."""
    from milestone_escrow.keys import DevSigner

    return {DevSigner(number).address: number for number in range(1, SANDBOX_ACCOUNTS + 1)}


def choose(
    session: Session,
    bound: BoundAgreement,
    chain_id: int,
    accounts: Sequence[Address] = (),
    *,
    any_will_do: bool = False,
) -> Signer:
    """The key to act with.

    Without --as it must be the only one at hand among `accounts` (the first of them where any will
    do); without `accounts` anybody may act, and the first key at hand does.

    Where nothing is sent or signed no key is needed: then it is the account of --from, or the only
    one that may.

    Raises:
        UsageError: no key, or several; the sentence says which there are.
    """
    if session.needs_no_key:
        return Absent(_sender(session, bound, chain_id, accounts, any_will_do=any_will_do))
    keys = at_hand(session, bound, chain_id)
    if session.signer_name:
        return unlock(session, _named(session.signer_name, keys))
    fitting = [key for key in keys if key.account in accounts] if accounts else list(keys)
    fitting.sort(key=lambda key: accounts.index(key.account) if accounts else 0)
    if not fitting:
        raise UsageError(_none_fits(bound, accounts, keys), hint=_way_out(keys))
    if len({key.account for key in fitting}) > 1 and accounts and not any_will_do:
        names = " or ".join(f"--as {key.name}" for key in fitting)
        raise UsageError("several of your keys may do this", hint=f"say which: {names}")
    return unlock(session, fitting[0])


def choose_own(session: Session, chain_id: int) -> Signer:
    """A key for what belongs to no agreement: the named one, or the only one here.

    Raises:
        UsageError: no key, or several.
    """
    if session.needs_no_key:
        return Absent(_sender_account(session))
    keys = own_keys(session, chain_id)
    if session.signer_name:
        return unlock(session, _named(session.signer_name, keys))
    if not keys:
        raise UsageError("there is no key here", hint="make one with `escrow key new NAME`")
    if len(keys) > 1:
        names = " or ".join(f"--as {key.name}" for key in keys)
        raise UsageError("several keys are here", hint=f"say which: {names}")
    return unlock(session, keys[0])


def key_named(session: Session, chain_id: int, name: str) -> Signer:
    """A key by name: one's own, a role of the sandbox, or one elsewhere as --signer takes it.

    Raises:
        UsageError: there is no such key.
    """
    return unlock(session, _key_named(session, chain_id, name))


def account_of_key(session: Session, chain_id: int, name: str) -> Address:
    """The account of a key by name, without unlocking it; see `key_named`."""
    return _key_named(session, chain_id, name).account


def _key_named(session: Session, chain_id: int, name: str) -> AtHand:
    if name.partition(":")[0] in ("rpc", "ledger", "kms"):
        signer = signers_at(session, name, chain_id)[0]
        return AtHand(name, signer.address, signer=signer)
    keys = own_keys(session, chain_id)
    if chain_id == SANDBOX_CHAIN_ID:
        from milestone_escrow.keys.sandbox_people import everybody

        taken = {key.name for key in keys}
        people = (AtHand(one.role, one.account, one.number) for one in everybody())
        keys += [person for person in people if person.name not in taken]
    return _named(name, keys)


def choose_account(session: Session, chain_id: int, account: Address) -> Signer:
    """The key of one account.

    Raises:
        UsageError: it is not here, or --as names another one.
    """
    if session.needs_no_key:
        return Absent(account)
    keys = own_keys(session, chain_id)
    if session.signer_name:
        keys = [_named(session.signer_name, keys)]
    for key in keys:
        if key.account == account:
            return unlock(session, key)
    raise UsageError(
        f"this needs the key of {account}, which "
        + (f"'{session.signer_name}' is not" if session.signer_name else "is not here"),
        hint=_way_out(keys),
    )


def own_keys(session: Session, chain_id: int) -> list[AtHand]:
    """The keys of the state folder and, on a sandbox, its accounts' operator; with --signer the
    accounts there."""
    from milestone_escrow.keys import DevSigner, Keystore

    if session.signer_spec:
        found = signers_at(session, session.signer_spec, chain_id)
        return [AtHand(one.address, one.address, signer=one) for one in found]
    keys = [AtHand(key.name, key.address) for key in Keystore(session.home.keys).list()]
    if chain_id == SANDBOX_CHAIN_ID:
        operator = DevSigner(SANDBOX_OPERATOR)
        keys.append(AtHand("operator", operator.address, SANDBOX_OPERATOR))
    return keys


def unlock(session: Session, key: AtHand) -> Signer:
    """The signer behind a key; asks for the password where no file has it.

    Raises:
        KeyFileError: a wrong password, or nobody there to ask.
    """
    from milestone_escrow.cli.shell.session import has_terminal
    from milestone_escrow.keys import DevSigner, Keystore
    from milestone_escrow.keys.passwords import find_password

    if key.signer:
        return key.signer
    if key.number:
        return DevSigner(key.number)

    def ask(name: str) -> str:
        return str(click.prompt(f"Password of key '{name}'", hide_input=True, err=True))

    asking = ask if has_terminal() else None
    password = find_password(key.name, file=session.password_file, ask=asking)
    return Keystore(session.home.keys).unlock(key.name, password)


def _elsewhere(session: Session, bound: BoundAgreement, chain_id: int) -> tuple[AtHand, ...]:
    """The accounts of --signer, named by their roles in the agreement, else by themselves."""
    found = []
    for signer in signers_at(session, session.signer_spec or "", chain_id):
        roles = bound.agreement.roles(signer.address) or (signer.address,)
        found += [AtHand(role, signer.address, signer=signer) for role in roles]
    return tuple(found)


def _sender(
    session: Session,
    bound: BoundAgreement,
    chain_id: int,
    accounts: Sequence[Address],
    *,
    any_will_do: bool,
) -> Address:
    """Whose transaction is only printed: that of --from, or of the only one who may send it."""
    if session.sender:
        if session.sender.lower().startswith("0x"):
            return _sender_account(session)
        return _account(session, bound, chain_id, session.sender)
    if len(set(accounts)) == 1 or (accounts and any_will_do):
        return accounts[0]
    names = ", ".join(f"--from {role}" for role in bound.agreement.people)
    raise UsageError("it is not said who sends this", hint=f"add --from 0x… or one of {names}")


def _sender_account(session: Session) -> Address:
    from milestone_escrow.documents.values import read_account

    if not session.sender:
        raise UsageError("it is not said who sends this", hint="add --from 0x…")
    return read_account(session.sender)


def _named(name: str, keys: Sequence[AtHand]) -> AtHand:
    for key in keys:
        if name == key.name or name.lower() == key.account.lower():
            return key
    known = ", ".join(key.name for key in keys)
    raise UsageError(
        f"there is no key '{name}' here",
        hint=f"there are {known}" if known else f"make one with `escrow key new {name}`",
    )


def _none_fits(bound: BoundAgreement, accounts: Sequence[Address], keys: Sequence[AtHand]) -> str:
    from milestone_escrow.words.standing import person

    if not accounts:
        return "there is no key here to send this with"
    names = " or ".join(f"{person(bound, account)} ({account[:8]}…)" for account in accounts)
    return f"this needs the key of {names}, which is not here"


def _way_out(keys: Sequence[AtHand]) -> str:
    way = "keep it with `escrow key import NAME`"
    return f"{way}; keys here: {', '.join(key.name for key in keys)}" if keys else way
