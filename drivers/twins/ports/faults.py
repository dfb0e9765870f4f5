"""What can go wrong with a simulated port board and its link, on command and by name."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from random import Random
from typing import Annotated

import msgspec


class PortFaultKind(Enum):
    """Every fault a board can show. `amount` means what the comment says; the number in brackets is its default."""

    # On the way: each frame that the board says.
    LOST = "lost"  # does not arrive
    GARBLE = "garble"  # `amount` bits of it are turned (1)
    NOISE = "noise"  # `amount` random bytes before it (5)
    SHORT = "short"  # its last `amount` bytes are missing (1)
    DUPLICATE = "duplicate"  # comes twice

    # In the dialogue.
    LOST_ANSWER = "lost-answer"  # does what it is told, and its answer does not arrive
    REFUSE = "refuse"  # refuses to switch, with the code `amount` (3, which means done all the same)
    DEAF = "deaf"  # hears nothing for `amount` ms (60000)
    LINK_LOSS = "link-loss"  # its connection ends; it calls again `amount` ms later (5000)
    FOREIGN = "foreign"  # says its next frame under another number
    FORGETS_SETTINGS = "forgets-settings"  # takes thresholds and does not keep them

    # In the world.
    POWER_CUT = "power-cut"  # dark for `amount` ms (5000)
    SMOKE = "smoke"  # for `amount` ms (60000), at `port`
    WATER = "water"
    WELDED = "welded"  # the relay of `port` stays closed
    OVERLOAD = "overload"  # the load on `port` grows by `amount` W (3000)
    UNPLUG = "unplug"  # what is on `port` is pulled out
    SPRUNG = "sprung"  # the door of `port` comes open


WORLD = frozenset(
    {
        PortFaultKind.POWER_CUT,
        PortFaultKind.SMOKE,
        PortFaultKind.WATER,
        PortFaultKind.WELDED,
        PortFaultKind.OVERLOAD,
        PortFaultKind.UNPLUG,
        PortFaultKind.SPRUNG,
    }
)

DEFAULT_AMOUNT = {
    PortFaultKind.GARBLE: 1,
    PortFaultKind.NOISE: 5,
    PortFaultKind.SHORT: 1,
    PortFaultKind.REFUSE: 3,
    PortFaultKind.DEAF: 60_000,
    PortFaultKind.LINK_LOSS: 5_000,
    PortFaultKind.POWER_CUT: 5_000,
    PortFaultKind.SMOKE: 60_000,
    PortFaultKind.OVERLOAD: 3_000,
}


class PortFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order to go wrong. count: how often; None: until cleared. chance_permille: of the occasions that it hits."""

    kind: PortFaultKind
    count: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    amount: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] | None = None
    port: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    chance_permille: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1000

    @property
    def amount_or_usual(self) -> int:
        return DEFAULT_AMOUNT.get(self.kind, 0) if self.amount is None else self.amount


class PortFaults:
    """The faults in force on one board. Chance and noise come from `seed` alone, so that a run replays."""

    def __init__(self, seed: int = 0, faults: Iterable[PortFault] = ()) -> None:
        self.random = Random(seed)  # noqa: S311  (replayable on purpose)
        self._active: dict[PortFaultKind, PortFault] = {}
        for fault in faults:
            self.set(fault)

    def set(self, fault: PortFault) -> None:
        """Put one in force; one of the same kind is replaced."""
        self._active[fault.kind] = fault

    def clear(self, kind: PortFaultKind | None = None) -> None:
        """End one kind, or all."""
        for name in [name for name in self._active if kind in (None, name)]:
            del self._active[name]

    def active(self) -> tuple[PortFault, ...]:
        return tuple(self._active.values())

    def take(self, kind: PortFaultKind) -> PortFault | None:
        """The fault, if it hits now; its count goes down by one. Ask only where it would be done."""
        fault = self._active.get(kind)
        if fault is None:
            return None
        if fault.chance_permille < 1000 and self.random.randrange(1000) >= fault.chance_permille:
            return None
        if fault.count == 1:
            del self._active[kind]
        elif fault.count is not None:
            self._active[kind] = msgspec.structs.replace(fault, count=fault.count - 1)
        return fault

    def spoil(self, frame: bytes) -> bytes:
        """What arrives of a frame."""
        kinds = PortFaultKind
        if self.take(kinds.LOST):
            return b""
        if fault := self.take(kinds.GARBLE):
            for _ in range(fault.amount_or_usual):
                at = self.random.randrange(len(frame))
                frame = frame[:at] + bytes([frame[at] ^ 1 << self.random.randrange(8)]) + frame[at + 1 :]
        if fault := self.take(kinds.SHORT):
            frame = frame[: max(0, len(frame) - fault.amount_or_usual)]
        if fault := self.take(kinds.NOISE):
            frame = self.random.randbytes(fault.amount_or_usual) + frame
        return frame * 2 if self.take(kinds.DUPLICATE) else frame


def parse_port_faults(words: Iterable[str]) -> list[PortFault]:
    """Faults from a command line: `kind[@port][:count[:amount]]`; `*` as count is until cleared. Raises ValueError."""
    return [_parse(word) for word in words]


def _parse(word: str) -> PortFault:
    name, _, rest = word.partition(":")
    kind, _, port = name.partition("@")
    count, _, amount = rest.partition(":")
    plain: dict[str, object] = {"kind": kind}
    try:
        plain |= {"port": int(port)} if port else {}
        plain |= {"count": None} if count == "*" else {"count": int(count)} if count else {}
        plain |= {"amount": int(amount)} if amount else {}
        return msgspec.convert(plain, PortFault)
    except (ValueError, msgspec.ValidationError) as error:
        kinds = ", ".join(kind.value for kind in PortFaultKind)
        raise ValueError(
            f"fault {word!r}: expected KIND[@PORT][:COUNT[:AMOUNT]] with KIND one of {kinds} ({error})"
        ) from None
