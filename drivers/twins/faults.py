"""What can go wrong with a device or its wire, on command, and what that does to an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Annotated

import msgspec

from drivers.twins.fault_set import parse_fault


class FaultKind(Enum):
    """Every fault a twin can show. `amount` means what the comment says; the number in brackets is its default."""

    # On the wire: counted in answers.
    DEAD = "dead"  # no answer
    LATE = "late"  # the answer comes `amount` ms later (1500)
    SLOW = "slow"  # the answer dribbles in, byte by byte, taking `amount` times its wire time (10)
    FOREIGN = "foreign"  # the answer carries unit `amount` (own unit + 1)
    ECHO = "echo"  # the request comes back before the answer, as from an adapter that hears itself
    NOISE_BEFORE = "noise-before"  # `amount` random bytes before the answer (3)
    NOISE_AFTER = "noise-after"  # `amount` random bytes after the answer (3)
    CRC = "crc"  # CRC broken; on TCP the transaction id is
    SHORT = "short"  # the last `amount` bytes are missing (1)
    EXCEPTION = "exception"  # refuses with exception `amount` (4)
    TWO_AT_ONE_ADDRESS = "two-at-one-address"  # a second device answers too, `amount` ms later (0: both at once)
    HANG_UP = "hang-up"  # TCP: closes the connection instead of answering; on a serial line no answer

    # In the meter.
    METER_RESET = "meter-reset"  # the register starts again at 0; at once
    METER_WRAP = "meter-wrap"  # the register stands `amount` Wh below its largest value (0), and wraps to 0; at once
    METER_JUMP = "meter-jump"  # the register leaps `amount` Wh ahead (100000); at once
    METER_BACKWARDS = "meter-backwards"  # the register falls by `amount` Wh (1000); at once
    METER_CHANGED = "meter-changed"  # another meter hangs there: its own serial number is `amount` (4712); at once
    METER_FROZEN = "meter-frozen"  # the register stands still until cleared, then catches up

    # In the charger.
    STUCK_RELAY = "stuck-relay"  # the relay stays as it is, whatever the charger says, until cleared
    ILL = "ill"  # the charger shows state F, or E with amount 1, until cleared
    POWER_CUT = "power-cut"  # dark for `amount` ms (2000), then as after power-on: limits forgotten; at once


AT_ONCE = frozenset(
    {
        FaultKind.METER_RESET,
        FaultKind.METER_WRAP,
        FaultKind.METER_JUMP,
        FaultKind.METER_BACKWARDS,
        FaultKind.METER_CHANGED,
        FaultKind.POWER_CUT,
    }
)
"""Done when commanded, and over."""

UNTIL_CLEARED = frozenset({FaultKind.METER_FROZEN, FaultKind.STUCK_RELAY, FaultKind.ILL})
"""States of the device; a count has no meaning."""

DEFAULT_AMOUNT: dict[FaultKind, int] = {
    FaultKind.LATE: 1500,
    FaultKind.SLOW: 10,
    FaultKind.NOISE_BEFORE: 3,
    FaultKind.NOISE_AFTER: 3,
    FaultKind.SHORT: 1,
    FaultKind.EXCEPTION: 4,
    FaultKind.METER_JUMP: 100_000,
    FaultKind.METER_BACKWARDS: 1_000,
    FaultKind.METER_CHANGED: 4_712,
    FaultKind.POWER_CUT: 2_000,
}


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One order to go wrong. count: answers it spoils, None until cleared. chance_permille: of answers that it hits."""

    kind: FaultKind
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    amount: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] | None = None
    chance_permille: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1000

    def amount_or(self, default: int) -> int:
        """The amount ordered, else the kind's default, else `default`."""
        return DEFAULT_AMOUNT.get(self.kind, default) if self.amount is None else self.amount


class FaultPlan:
    """The faults in force on one device. Chance and noise come from `seed` alone, so that a run replays."""

    def __init__(self, seed: int = 0) -> None:
        self.random = Random(seed)  # noqa: S311  (replayable on purpose)
        self._active: dict[FaultKind, Fault] = {}

    def set(self, fault: Fault) -> None:
        """Put a fault in force; one of the same kind is replaced."""
        assert fault.kind not in AT_ONCE
        self._active[fault.kind] = fault

    def clear(self, kind: FaultKind | None = None) -> list[FaultKind]:
        """End one kind, or all; the kinds that were in force."""
        ended = [k for k in self._active if kind is None or k is kind]
        for k in ended:
            del self._active[k]
        return ended

    def active(self) -> tuple[Fault, ...]:
        """What is in force, with the counts left."""
        return tuple(self._active.values())

    def take(self) -> dict[FaultKind, Fault]:
        """The faults that hit the next answer; their counts go down by one."""
        hit = {}
        for kind, fault in list(self._active.items()):
            if kind in UNTIL_CLEARED:
                continue
            if fault.chance_permille < 1000 and self.random.randrange(1000) >= fault.chance_permille:
                continue
            hit[kind] = fault
            if fault.count == 1:
                del self._active[kind]
            elif fault.count is not None:
                self._active[kind] = msgspec.structs.replace(fault, count=fault.count - 1)
        return hit


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes to send `after_us` after the piece before has left. `times`: how much slower than the wire."""

    data: bytes
    after_us: int = 0
    times: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it becomes bytes. `frame(unit, pdu)` makes an ADU that belongs to the request."""

    unit: int
    pdu: bytes
    request: bytes
    frame: Callable[[int, bytes], bytes]
    on_tcp: bool


def spoil(answer: Answer, faults: dict[FaultKind, Fault], random: Random) -> list[Piece]:
    """What goes on the wire for `answer`; without faults the one frame. DEAD and HANG_UP are the caller's."""
    unit, pdu = answer.unit, answer.pdu
    if fault := faults.get(FaultKind.EXCEPTION):
        pdu = bytes([pdu[0] | 0x80, fault.amount_or(4) & 0xFF])
    if fault := faults.get(FaultKind.FOREIGN):
        unit = fault.amount_or(unit + 1) & 0xFF
    data = answer.frame(unit, pdu)
    if FaultKind.CRC in faults:
        at = 1 if answer.on_tcp else len(data) - 1
        data = data[:at] + bytes([data[at] ^ 0x01]) + data[at + 1 :]
    if fault := faults.get(FaultKind.SHORT):
        data = data[: max(0, len(data) - fault.amount_or(1))]
    pieces = [Piece(data)]
    if fault := faults.get(FaultKind.TWO_AT_ONE_ADDRESS):
        pieces = _second_device(answer, data, fault.amount_or(0), random)

    def amount(kind: FaultKind, absent: int) -> int:
        return faults[kind].amount_or(absent) if kind in faults else absent

    return around(
        pieces,
        random,
        noise_before=amount(FaultKind.NOISE_BEFORE, 0),
        noise_after=amount(FaultKind.NOISE_AFTER, 0),
        echo=answer.request if FaultKind.ECHO in faults else b"",
        times=amount(FaultKind.SLOW, 1),
        late_ms=amount(FaultKind.LATE, 0),
    )


def around(
    pieces: list[Piece],
    random: Random,
    *,
    noise_before: int = 0,
    noise_after: int = 0,
    echo: bytes = b"",
    times: int = 1,
    late_ms: int = 0,
) -> list[Piece]:
    """The pieces of an answer of any protocol, with what a bad wire puts around them."""
    if noise_before:
        pieces = [Piece(random.randbytes(noise_before)), *pieces]
    if noise_after:
        pieces = [*pieces, Piece(random.randbytes(noise_after))]
    if echo:
        pieces = [Piece(echo), *pieces]
    if times > 1:
        pieces = [Piece(bytes([byte]), times=times) for piece in pieces for byte in piece.data]
    if late_ms:
        pieces = [Piece(b"", after_us=late_ms * 1000), *pieces]
    return pieces


def _second_device(answer: Answer, data: bytes, lag_ms: int, random: Random) -> list[Piece]:
    """Both devices drive the line: at once, zeros win bit by bit; later, a second valid answer with other values."""
    tail = bytes(byte ^ random.randrange(1, 256) for byte in answer.pdu[2:])
    rival = answer.frame(answer.unit, answer.pdu[:2] + tail)
    if lag_ms:
        return [Piece(data), Piece(rival, after_us=lag_ms * 1000)]
    mixed = bytes(a & b for a, b in zip(data, rival, strict=False))
    return [Piece(mixed if mixed != data else mixed[:-1] + bytes([mixed[-1] ^ 0x01]))]


def parse_faults(words: Iterable[str]) -> list[Fault]:
    """Faults from a command line: `kind`, `kind:count`, `kind:count:amount`; `*` as count is until cleared.

    Raises ValueError that names the kinds there are.
    """
    return [parse_fault(word, Fault, FaultKind) for word in words]
