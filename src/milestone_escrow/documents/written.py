"""An agreement written out again as a file, to be changed where the first file is not at hand."""

from __future__ import annotations

from collections.abc import Mapping

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.edit import dump
from milestone_escrow.documents.model import AgreementFile, MilestoneEntry
from milestone_escrow.documents.source import Tree

# What people write first of each party, and of each milestone.
_PARTY = ("name", "account")
_STAGE = ("key", "title", "deposit", "pays", "due", *MilestoneEntry.model_fields)


def text_of(agreement: Agreement) -> str:
    """The agreement as a file whose text means the same document; comments are not known."""
    tree = _ordered(agreement.document, tuple(AgreementFile.model_fields))
    stages = tree.get("milestones")
    if isinstance(stages, list):
        tree["milestones"] = [
            _ordered(stage, _STAGE) if isinstance(stage, dict) else stage for stage in stages
        ]
    parties = tree.get("parties")
    if isinstance(parties, dict):
        first = ("buyer", "supplier")
        tree["parties"] = {
            role: _ordered(party, _PARTY) if isinstance(party, dict) else party
            for role, party in _ordered(parties, first).items()
        }
    return dump(tree, width=96)


def _ordered(group: Mapping[str, Tree], first: tuple[str, ...]) -> dict[str, Tree]:
    """The same group with these names first, where it has them."""
    known = [name for name in first if name in group]
    return {name: group[name] for name in dict.fromkeys((*known, *group))}
