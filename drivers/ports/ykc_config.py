"""What must be written down about YKC piles: where they call, and which of them may?"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Final, Literal

import msgspec

from protocols.fieldbus import ykc

GUNS_MAX: Final = 20
Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$",
        description="1 to 32 letters, digits, dots, dashes and underscores, a letter or digit first",
    ),
]


class PileConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[ykc.pile]]`: one pile, whose guns are ports from 1 on.

    id: the name in logs and commands. number: what customers read on it. code: its number in the protocol, as set in
    it. power_w_max: of one gun, for margins. phases: what its voltage and current are told for. peer: the address that
    it calls from; None: any. time_max_s: the longest order.
    """

    id: Name
    number: Annotated[int, msgspec.Meta(ge=1, le=999)]
    code: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{14}$", description="14 digits")]
    guns: Annotated[int, msgspec.Meta(ge=1, le=GUNS_MAX)] = 1
    power_w_max: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = 7_000
    phases: Literal[1, 3] = 1
    peer: str | None = None
    time_max_s: Annotated[int, msgspec.Meta(ge=60, le=604_800)] = 86_400

    def __post_init__(self) -> None:
        if self.peer is not None and _address(self.peer) is None:
            raise ValueError(f"`peer` is an IP address, not {self.peer!r}")


class YkcConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[ykc]]`: one port of this box, where piles call as at their platform.

    id: the name in logs and commands. host: one of the box's addresses; without TLS one of the site's own network.
    cert_file, key_file: the box's certificate and its key; both or none. ca_file: who signed the piles' certificates;
    None: they show none. utc_offset_min: of the piles' clocks, which know no summer time. qr_prefix: what piles put
    before their number in the code that they show; None: as they are. heartbeat_s: between two heartbeats of a gun.
    """

    id: Name
    host: str
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8768
    cert_file: str | None = None
    key_file: str | None = None
    ca_file: str | None = None
    utc_offset_min: Annotated[int, msgspec.Meta(ge=-720, le=840)] = 480
    qr_prefix: Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,180}$")] | None = None
    heartbeat_s: Annotated[int, msgspec.Meta(ge=1, le=600)] = ykc.HEARTBEAT_S
    pile: tuple[PileConfig, ...]

    def __post_init__(self) -> None:
        address = _address(self.host)
        if address is None:
            raise ValueError(f"`host` is an IP address of this box, not {self.host!r}")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("`cert_file` and `key_file` go together")
        if self.ca_file is not None and self.cert_file is None:
            raise ValueError("`ca_file` needs `cert_file` and `key_file`: without TLS nobody shows a certificate")
        if self.cert_file is None and (address.is_unspecified or address.is_multicast or address.is_global):
            raise ValueError(f"without TLS `host` is an address of the site's own network, not {self.host}")
        if not self.pile:
            raise ValueError("at least one `[[ykc.pile]]`: nobody else is let in")
        for what in ("id", "number", "code"):
            values = [getattr(pile, what) for pile in self.pile]
            if len(set(values)) != len(values):
                raise ValueError(f"each pile has its own `{what}`; these are {values}")

    @property
    def tls(self) -> bool:
        return self.cert_file is not None


@dataclass(frozen=True, slots=True)
class Times:
    """How long things take, in seconds; the document's own where it names one.

    heartbeat: of a gun. answer: to anything that is asked. poll: a pile that is not charging tells its state every
    five minutes; it is asked sooner. stale: what a pile said of itself longer ago is marked so. shown: from an order
    until the state shows it. login: for saying who calls. again: before the same is tried again. day: between two
    settings of the clock. tick: how often all that is looked at.
    """

    heartbeat_s: float = ykc.HEARTBEAT_S
    answer_s: float = 10.0
    poll_s: float = 30.0
    stale_s: float = 100.0
    shown_s: float = ykc.START_SHOWN_S
    login_s: float = 20.0
    again_s: float = 30.0
    day_s: float = 86_400.0
    tick_s: float = 1.0

    @property
    def silent_s(self) -> float:
        """Longer than three heartbeats, so that the third may come a little late."""
        return (ykc.HEARTBEATS_MISSED_MAX + 0.5) * self.heartbeat_s


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
