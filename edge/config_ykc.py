"""Do the ports that YKC piles call, and the piles, fit each other and what else the site has?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from drivers.ports.config import ListenerConfig
from drivers.ports.ykc_config import YkcConfig
from protocols.door import Fault


def ykc_faults(platforms: Sequence[YkcConfig], listeners: Sequence[ListenerConfig]) -> Iterator[Fault]:
    """What cannot work. That each id is used once is not looked at here."""
    places = {listener.where: listener.id for listener in listeners if listener.port}
    codes: dict[str, str] = {}
    for index, platform in enumerate(platforms):
        if platform.port and platform.where in places:
            got = f"{platform.where}, which `{places[platform.where]}` has already"
            yield Fault(f"ykc[{index}].port", "a port of its own", got)
        places.setdefault(platform.where, platform.id)
        for number, pile in enumerate(platform.pile):
            if pile.code in codes:
                got = f"{pile.code}, which `{codes[pile.code]}` has already"
                yield Fault(f"ykc[{index}].pile[{number}].code", "a code of its own", got)
            codes.setdefault(pile.code, pile.id)


def ykc_doubts(platforms: Sequence[YkcConfig]) -> Iterator[str]:
    """What may work and mostly is a mistake, in words for a person."""
    for index, platform in enumerate(platforms):
        open_to_all = not platform.peers and any(pile.peer is None for pile in platform.pile)
        if open_to_all and platform.ca_file is None:
            yield (
                f"ykc[{index}]: neither `peers` nor `ca_file`: whoever reaches {platform.where} may pass for a pile, "
                "for these have no password"
            )


def rooted_ykc(platforms: Sequence[YkcConfig], root: Path) -> tuple[YkcConfig, ...]:
    """Relative paths start at `root`."""

    def from_root(name: str | None) -> str | None:
        return None if name is None else str((root / name).absolute())

    return tuple(
        msgspec.structs.replace(
            one,
            cert_file=from_root(one.cert_file),
            key_file=from_root(one.key_file),
            ca_file=from_root(one.ca_file),
        )
        for one in platforms
    )
