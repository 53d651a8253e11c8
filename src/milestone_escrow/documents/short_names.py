"""Names of companies, short where that tells them apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping

# Longer forms first: "Co. Ltd" would otherwise leave its "Co." behind.
_FORMS = (
    "Pvt Ltd", "Pte Ltd", "Co. Ltd", "Ltd", "GmbH", "Inc.", "Inc", "LLC", "AG", "OÜ", "Oy", "SA",
)  # fmt: skip


def short_names(names: Collection[str]) -> Mapping[str, str]:
    """The shortest form of each that could stand for no other of them."""
    forms = {name: _forms(name) for name in names}
    return {
        name: next((form for form in own if not _is_taken(form, name, forms)), name)
        for name, own in forms.items()
    }


def _forms(name: str) -> tuple[str, ...]:
    """ "Nordlicht Teppiche" and "Nordlicht Teppiche GmbH" of "Nordlicht Teppiche GmbH, Hamburg"."""
    placeless = name.split(",")[0].strip() or name
    for form in _FORMS:
        if placeless.endswith(f" {form}"):
            return placeless.removesuffix(form).strip(), placeless
    return (placeless,)


def _is_taken(form: str, name: str, forms: Mapping[str, tuple[str, ...]]) -> bool:
    wanted = form.casefold()
    return any(
        wanted in (found.casefold() for found in (*others, other))
        for other, others in forms.items()
        if other != name
    )
