"""A small deal between the sandbox's people: deposit, one judge, two judges, no judge."""

from __future__ import annotations

DEAL = """\
format: 1
title: A garden shed, built in three stages
reference: SHED-7
date: 2027-03-01
timezone: Europe/Berlin

parties:
  buyer: {name: Anna Bauer, account: 0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf}
  supplier: {name: Holz & Söhne, account: 0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF}
  verifiers:
    surveyor: {name: Vera Grün, account: 0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69}
    carpenter: {name: Otto Span, account: 0x1efF47bc3a10a45D4B230B5d10E37751FE6AA718}
  arbiter: {name: Dr. A. Brandt, account: 0xE57bFE9F44b819898F47BF37E5AF72a0783e1141}

payment: {network: sandbox, price: "10,000.00 USDC", fee: none}

rules:
  verified_by: 2 of 2
  objection_period: off
  review_period: 7 days
  ruling_within: 30 days
  if_no_ruling: 50 % to supplier
  if_nothing_proven: refund buyer
  refund_after: 30 days past due

milestones:
  - deposit: 10 %
  - {key: foundation, title: Foundation poured, pays: 30 %, due: 2027-04-01,
     verified_by: surveyor, requires: [photos from supplier]}
  - {key: walls, title: Walls and roof stand, pays: 40 %, due: 2027-05-01,
     requires: [photos from supplier]}
  - {key: handover, title: Handed over, pays: 20 %, due: 2027-06-01,
     verified_by: nobody}
"""

BUYER = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
SUPPLIER = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"

# 1 March 2027, 09:00 in Berlin: the morning of the agreement's date.
START = 1_803_888_000
