"""Machines whose time zone data differ: Berlin as it is, and Berlin without summer time."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from milestone_escrow.documents import when

Calendar = Callable[[str | None], None]


def calendars(folder: Path) -> Calendar:
    """Makes the machine read the calendar of a name, "usual" or "other" (2099z); None, its own."""
    package = resources.files("tzdata") / "zoneinfo"
    for name, zone in (("usual", "Berlin"), ("other", "London")):
        for key, source in (("UTC", "UTC"), ("Europe/Berlin", f"Europe/{zone}")):
            file = folder / name / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes((package / source).read_bytes())
    (folder / "other" / "tzdata.zi").write_text("# version 2099z\n# a comment\n")

    def use(name: str | None) -> None:
        path = [] if name is None else [str(folder / name)]
        zoneinfo.reset_tzpath(to=path) if path else zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()
        when.read_zone.cache_clear()
        when.calendar_release.cache_clear()

    return use
