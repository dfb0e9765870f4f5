"""Does a profile hold together? Faults between its parts, which the types of the schema cannot see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocols.door import Fault

if TYPE_CHECKING:
    from drivers.profile import Profile


def faults(profile: Profile, names: frozenset[str]) -> list[Fault]:
    """Every fault between parts. `names`: all points of the file, the ill-formed ones too."""
    found: list[Fault] = []
    for where, used in _names_used(profile):
        if used not in names:
            found.append(Fault(where, f"a point: one of {', '.join(sorted(names))}", repr(used)))
    return found


def _names_used(profile: Profile) -> list[tuple[str, str]]:
    gives = profile.gives
    used = [
        (f"gives.{field}", name)
        for field in ("register", "power", "current", "limit")
        for name in getattr(gives, field)
    ]
    for index, write in enumerate(profile.setup):
        used.append((f"setup[{index}].point", write.point))
    if profile.command is not None:
        for part in ("start", "set_limit", "stop"):
            for index, write in enumerate(getattr(profile.command, part)):
                used.append((f"command.{part}[{index}].point", write.point))
    if profile.keepalive is not None and profile.keepalive.point is not None:
        used.append(("keepalive.point", profile.keepalive.point))
    return used
