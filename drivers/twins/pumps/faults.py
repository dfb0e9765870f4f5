"""What can go wrong with a pump, its wire or its customer, on command; shared by the twins of all pump protocols."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from random import Random
from typing import Annotated

import msgspec

from drivers.twins.faults import Piece, around
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.parts import Phase


class PumpFaultKind(Enum):
    """Every fault a pump can show. `amount` means what the comment says; the number in brackets is its default."""

    # On the wire: `PumpFaults.spoil` does them to one answer.
    SILENT = "silent"  # no answer
    LATE = "late"  # the answer comes `amount` ms later (1500)
    SLOW = "slow"  # it dribbles in, byte by byte, taking `amount` times its wire time (10)
    GARBLE = "garble"  # `amount` bits of it are turned (1)
    NOISE_BEFORE = "noise-before"  # `amount` random bytes before it (3)
    NOISE_AFTER = "noise-after"  # `amount` random bytes after it (3)
    SHORT = "short"  # its last `amount` bytes are missing (1)
    DUPLICATE = "duplicate"  # it comes twice
    ECHO = "echo"  # the request comes back before it, as from an adapter that hears itself

    # In the dialogue: the twin of a protocol does those that make sense in it, and says which.
    WRONG_SEQUENCE = "wrong-sequence"  # a number that does not follow
    REFUSE = "refuse"  # the protocol's "no", or its code `amount`
    NO_EFFECT = "no-effect"  # acknowledged, and not done
    FOREIGN = "foreign"  # another address in the answer: `amount`
    STALE = "stale"  # shows an older state
    LATE_STATUS = "late-status"  # does at once, shows it `amount` ms later (3000)
    MISSED_END = "missed-end"  # goes from delivering to idle without showing the end

    # In the world: the bay does them.
    POWER_CUT = "power-cut"  # dark for `amount` ms (2000)
    COLD_START = "cold-start"  # the same, and neither prices nor sale survive
    EMERGENCY = "emergency"  # emergency stop, for `amount` ms (2000)
    LEAP = "leap"  # the total of the lowest nozzle moves by `amount` mL without a sale (10000)
    CREEP = "creep"  # the total of the lowest nozzle moves by `amount` microlitres a second (1000), until cleared
    SECOND_NOZZLE = "second-nozzle"  # another nozzle is lifted for `amount` ms (3000)
    RESTART = "restart"  # the pump's processor starts again at once: the twin forgets what its link knew


WORLD = frozenset(
    {
        PumpFaultKind.POWER_CUT,
        PumpFaultKind.COLD_START,
        PumpFaultKind.EMERGENCY,
        PumpFaultKind.LEAP,
        PumpFaultKind.CREEP,
        PumpFaultKind.SECOND_NOZZLE,
        PumpFaultKind.RESTART,
    }
)
"""Happen once per order unless it counts more, each time the pump comes into the phase it is armed for."""

DEFAULT_AMOUNT: dict[PumpFaultKind, int] = {
    PumpFaultKind.LATE: 1_500,
    PumpFaultKind.SLOW: 10,
    PumpFaultKind.GARBLE: 1,
    PumpFaultKind.NOISE_BEFORE: 3,
    PumpFaultKind.NOISE_AFTER: 3,
    PumpFaultKind.SHORT: 1,
    PumpFaultKind.LATE_STATUS: 3_000,
    PumpFaultKind.POWER_CUT: 2_000,
    PumpFaultKind.COLD_START: 2_000,
    PumpFaultKind.EMERGENCY: 2_000,
    PumpFaultKind.LEAP: 10_000,
    PumpFaultKind.CREEP: 1_000,
    PumpFaultKind.SECOND_NOZZLE: 3_000,
}


class PumpFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order to go wrong.

    count: how often, None until cleared (in the world: once). chance_permille: of the occasions that it hits. at: only
    in this phase; None: any. after_ms: and only so long after the phase began.
    """

    kind: PumpFaultKind
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    amount: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] | None = None
    chance_permille: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1000
    at: Phase | None = None
    after_ms: Annotated[int, msgspec.Meta(ge=0)] = 0

    def amount_or(self, default: int) -> int:
        """The amount ordered, else the kind's default, else `default`."""
        return DEFAULT_AMOUNT.get(self.kind, default) if self.amount is None else self.amount


class PumpFaults:
    """The faults in force on one pump. Chance and noise come from `seed` alone, so that a run replays."""

    def __init__(self, pump: Dispenser, seed: int = 0, faults: Iterable[PumpFault] = ()) -> None:
        self.random = Random(seed)  # noqa: S311  (replayable on purpose)
        self._pump = pump
        self._active: dict[PumpFaultKind, PumpFault] = {}
        self._tried: dict[PumpFaultKind, int] = {}  # when the phase began in which a world's fault was last tried
        for fault in faults:
            self.set(fault)

    def set(self, fault: PumpFault) -> None:
        """Put a fault in force; one of the same kind is replaced."""
        self._active[fault.kind] = fault
        self._tried.pop(fault.kind, None)

    def clear(self, kind: PumpFaultKind | None = None) -> list[PumpFaultKind]:
        """End one kind, or all; the kinds that were in force."""
        ended = [k for k in self._active if kind is None or k is kind]
        for k in ended:
            del self._active[k]
        return ended

    def active(self) -> tuple[PumpFault, ...]:
        """What is in force, with the counts left."""
        return tuple(self._active.values())

    def take(self, kind: PumpFaultKind) -> PumpFault | None:
        """The fault, if it hits now; its count goes down by one. Ask only where it would be done."""
        fault = self._active.get(kind)
        if fault is None or not self._due(fault):
            return None
        if fault.chance_permille < 1000 and self.random.randrange(1000) >= fault.chance_permille:
            return None
        self._count(fault)
        return fault

    def take_world(self) -> list[PumpFault]:
        """Those that befall the pump now: each is tried once per phase."""
        hit = []
        for fault in self.active():
            if fault.kind not in WORLD or self._tried.get(fault.kind) == self._pump.since_ms or not self._due(fault):
                continue
            self._tried[fault.kind] = self._pump.since_ms
            if taken := self.take(fault.kind):
                hit.append(taken)
        return hit

    def spoil(self, data: bytes, request: bytes = b"") -> list[Piece]:
        """What goes on the wire for an answer; without faults the one piece. request: for ECHO."""
        kinds = PumpFaultKind
        if self.take(kinds.SILENT):
            return []
        if fault := self.take(kinds.GARBLE):
            for _ in range(fault.amount_or(1) if data else 0):
                at = self.random.randrange(len(data))
                data = data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1 :]
        if fault := self.take(kinds.SHORT):
            data = data[: max(0, len(data) - fault.amount_or(1))]
        pieces = [Piece(data), Piece(data)] if self.take(kinds.DUPLICATE) else [Piece(data)]
        return around(
            pieces,
            self.random,
            noise_before=self._amount(kinds.NOISE_BEFORE, 0),
            noise_after=self._amount(kinds.NOISE_AFTER, 0),
            echo=request if self.take(kinds.ECHO) else b"",
            times=self._amount(kinds.SLOW, 1),
            late_ms=self._amount(kinds.LATE, 0),
        )

    def _amount(self, kind: PumpFaultKind, absent: int) -> int:
        fault = self.take(kind)
        return absent if fault is None else fault.amount_or(absent)

    def _due(self, fault: PumpFault) -> bool:
        if fault.at is not None and fault.at is not self._pump.phase:
            return False
        return self._pump.now_ms - self._pump.since_ms >= fault.after_ms

    def _count(self, fault: PumpFault) -> None:
        left = 1 if fault.count is None and fault.kind in WORLD else fault.count
        if left == 1:
            del self._active[fault.kind]
        elif left is not None:
            self._active[fault.kind] = msgspec.structs.replace(fault, count=left - 1)


def parse_pump_faults(words: Iterable[str]) -> list[PumpFault]:
    """Faults from a command line: `kind[@phase][:count[:amount]]`; `*` as count is until cleared.

    Raises ValueError that names the kinds and phases there are.
    """
    return [_parse(word) for word in words]


def _parse(word: str) -> PumpFault:
    name, _, rest = word.partition(":")
    kind, _, at = name.partition("@")
    count, _, amount = rest.partition(":")
    plain: dict[str, object] = {"kind": kind}
    try:
        plain |= {"at": at} if at else {}
        plain |= {"count": int(count)} if count not in ("", "*") else {}
        plain |= {"amount": int(amount)} if amount else {}
        return msgspec.convert(plain, PumpFault)
    except (ValueError, msgspec.ValidationError) as error:
        kinds, phases = ", ".join(k.value for k in PumpFaultKind), ", ".join(p.value for p in Phase)
        raise ValueError(
            f"fault {word!r}: expected KIND[@PHASE][:COUNT[:AMOUNT]] with KIND one of {kinds}; PHASE one of {phases} "
            f"({error})"
        ) from None
