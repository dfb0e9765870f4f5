"""What must be written down about YKC piles: where they call, and which of them may?"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Final, Literal

import msgspec

from drivers.ports.config import ListenerConfig, Name

GUNS_MAX: Final = 20
HEARTBEATS: Final = 3.5
"""Three may stay away (`ykc.HEARTBEATS_MISSED_MAX`), and the third may be late."""
Seconds = Annotated[float, msgspec.Meta(ge=0.01, le=86_400)]


class PileConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[ykc.pile]]`: one pile, whose guns are ports from 1 on.

    id: the name in logs and commands. number: what customers read on it. code: its number in the protocol, as set in
    it. power_w_max: of one gun, for margins. time_max_s: the longest order. phases: what its voltage and current are
    told for. peer: the address that it calls from; None: any that the port lets in. utc_offset_min: of its clock, which
    knows no summer time. qr_prefix: what it puts before its number in the code that it shows; None: as it is.

    heartbeat_s: between two heartbeats of a gun; after three that stay away it is out. answer_s: the longest until an
    answer. poll_s: a gun at rest tells its state every five minutes, and is asked sooner. shown_s: from an order until
    the state shows it. again_s: before what was not answered is said again. tick_s: how often all that is looked at.
    """

    id: Name
    number: Annotated[int, msgspec.Meta(ge=1, le=999)]
    code: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{14}$", description="14 digits")]
    guns: Annotated[int, msgspec.Meta(ge=1, le=GUNS_MAX)] = 1
    power_w_max: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = 7_000
    time_max_s: Annotated[int, msgspec.Meta(ge=60, le=604_800)] = 86_400
    phases: Literal[1, 3] = 1
    peer: str | None = None
    utc_offset_min: Annotated[int, msgspec.Meta(ge=-720, le=840)] = 480
    qr_prefix: Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,180}$")] | None = None
    heartbeat_s: Seconds = 10.0
    answer_s: Seconds = 10.0
    poll_s: Seconds = 30.0
    shown_s: Seconds = 90.0
    again_s: Seconds = 30.0
    tick_s: Seconds = 1.0

    def __post_init__(self) -> None:
        if self.peer is not None:
            try:
                ip_address(self.peer)
            except ValueError:
                raise ValueError(f"`peer` is an IP address, not {self.peer!r}") from None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its guns as customers read them."""
        return tuple(range(1, self.guns + 1))

    @property
    def silent_s(self) -> float:
        """Without a word for so long a gun is out."""
        return HEARTBEATS * self.heartbeat_s

    @property
    def stale_s(self) -> float:
        """What a gun said of its state so long ago is marked as old."""
        return 3.5 * max(self.poll_s, 1.5 * self.heartbeat_s)


class YkcConfig(ListenerConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[ykc]]`: a TCP port of this box, where piles call as at their platform. What is not said here is as in
    `ListenerConfig`.

    cert_file, key_file: the box's certificate and its key, both or none; without them the piles' network is theirs
    alone. ca_file: who signed the piles' certificates; None: they show none.
    """

    pile: tuple[PileConfig, ...]
    greeting_s: Annotated[float, msgspec.Meta(ge=0.05, le=600)] = 20.0
    cert_file: str | None = None
    key_file: str | None = None
    ca_file: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("`cert_file` and `key_file` go together")
        if self.ca_file is not None and self.cert_file is None:
            raise ValueError("`ca_file` needs `cert_file` and `key_file`: without TLS nobody shows a certificate")
        if not self.pile:
            raise ValueError("at least one `[[ykc.pile]]`: nobody else is let in")
        codes = [pile.code for pile in self.pile]
        if len(set(codes)) != len(codes):
            raise ValueError(f"each pile has a `code` of its own; these are {codes}")
