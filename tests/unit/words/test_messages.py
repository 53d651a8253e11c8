"""A message is whole: another language may order its parts as it likes."""

from __future__ import annotations

from gettext import NullTranslations

from milestone_escrow.words.messages import say, say_count, speaking

KNOWN = {
    "{payer} pays {amount} to {payee}": "{payee} receives {amount} from {payer}",
    "{count} error": "errors: {count}",
}


class Backwards(NullTranslations):
    """A toy language."""

    def gettext(self, message: str) -> str:
        return KNOWN.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return KNOWN.get(msgid1, msgid1 if n == 1 else msgid2)


def sentence() -> str:
    return say("{payer} pays {amount} to {payee}", payer="Ann", amount="3.00 USDC", payee="Bob")


def test_another_catalogue_may_put_the_parts_in_another_order() -> None:
    assert sentence() == "Ann pays 3.00 USDC to Bob"
    with speaking(Backwards()):
        assert sentence() == "Bob receives 3.00 USDC from Ann"
        assert say("{a} stays English", a=1) == "1 stays English"
    assert sentence() == "Ann pays 3.00 USDC to Bob"


def test_a_number_chooses_its_message() -> None:
    said = [say_count("{count} error", "{count} errors", count) for count in (0, 1, 2)]
    assert said == ["0 errors", "1 error", "2 errors"]
    with speaking(Backwards()):
        assert say_count("{count} error", "{count} errors", 1) == "errors: 1"


def test_what_a_part_holds_is_never_read_as_a_message() -> None:
    assert say("{name} signs", name="{payer}") == "{payer} signs"
