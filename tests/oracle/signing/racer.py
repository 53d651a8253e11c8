"""A process that signs with the inspector's key: `racer.py STORE accept|reject COUNT`."""

from __future__ import annotations

import sys
from dataclasses import replace

from milestone_escrow.oracle.signing.signer import GuardedSigner, NotSignedError
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Verdict
from tests.oracle.conftest import DOMAIN
from tests.oracle.signing.people import INSPECTOR, NOW, make_deal


def main(where: str, verdict: str, count: int) -> None:
    """One verdict on each deal, as soon as a line is read; prints how many were signed."""
    store = Store.open(where, DOMAIN)
    signer = GuardedSigner(
        store, DOMAIN, INSPECTOR, why_not=lambda *_: (), verify_contract=lambda: None
    )
    signer.start(NOW)
    print("ready", flush=True)
    sys.stdin.readline()
    signed = 0
    for salt in range(count):
        what = make_deal(salt).attestation()
        if verdict == "reject":
            # Later on every other deal, which no unique constraint could catch.
            later = what.issued_at + salt % 2
            what = replace(what, verdict=Verdict.REJECTED, amount=0, issued_at=later)
        try:
            signer.sign(what, NOW)
            signed += 1
        except NotSignedError:
            pass
    print(signed, flush=True)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
