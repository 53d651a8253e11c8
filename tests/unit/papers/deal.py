"""A deal with everything that an accountant asks for: tax numbers, VAT, cost centres, retainage."""

from __future__ import annotations

DEAL = """\
format: 1
title: 1,200 hand-knotted carpets, Jaipur to Hamburg
reference: PO-2027-0114
date: 2027-01-14
timezone: Europe/Berlin

parties:
  buyer:
    name: Nordlicht Teppiche GmbH
    address: Speicherstadt Block P 12, 20457 Hamburg, Germany
    tax_id: DE811234567
    email: einkauf@nordlicht.example
    account: 0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf
  supplier:
    name: Rajwada Exports Pvt Ltd
    address: Plot 14, Sitapura Industrial Area, Jaipur 302022, Rajasthan, India
    tax_id: 08AABCR1234M1Z5
    email: accounts@rajwada.example
    account: 0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF
  verifiers:
    inspector: {name: Indus Survey, account: 0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69}
    forwarder: {name: Elbe Logistik, account: 0x1efF47bc3a10a45D4B230B5d10E37751FE6AA718}
  arbiter: {name: Dr. A. Brandt, account: 0xE57bFE9F44b819898F47BF37E5AF72a0783e1141}

payment: {network: sandbox, price: "240,000.00 USDC", fee: 1 % to 0x1111111111111111111111111111111111111111, vat: 19 %}

rules:
  verified_by: 2 of 2
  objection_period: 2 days
  ruling_within: 30 days
  if_no_ruling: 50 % to supplier
  if_nothing_proven: refund buyer
  refund_after: 30 days past due

milestones:
  - deposit: 10 %
    cost_centre: 4200 Goods inwards
  - key: manufactured
    title: 1,200 carpets finished, AQL 2.5 passed
    pays: 30 %
    due: 2027-03-15
    responsible: supplier
    verified_by: inspector
    cost_centre: 4200 Goods inwards
    requires: [inspection_report from inspector]
  - key: packed
    title: Packed and sealed in container
    pays: 40 %
    due: 2027-03-29
    responsible: supplier
    requires: [packing_list from supplier]
  - key: arrived
    title: Customs cleared, delivered to Hamburg warehouse
    pays: 20 %
    due: 2027-05-20
    responsible: forwarder
    vat: reverse charge
    requires: [customs_release from forwarder]

retainage:
  withheld: 5 %
  released: half at completion, half after 90 days

clauses:
  delivery: CIF Hamburg, Incoterms 2020
"""  # noqa: E501

# 14 January 2027, 10:00 in Berlin: the morning of the agreement's date.
START = 1_799_917_200
DAY = 86_400
EVIDENCE = b"\x11" * 32
