"""What can go wrong with a cabinet, its boards, its packs and its wires, on command, and which fault cases that makes.

`CASES` says for each kind the numbers of `docs/cabinets.md` that it provokes in whoever runs the cabinet; what riders
provoke stands in `rider_words`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from random import Random
from typing import Annotated, Final

import msgspec


class CabinetFaultKind(Enum):
    """Every fault a cabinet can show. `amount` means what the comment says; the number in brackets is its default."""

    # On the wire of a board or of a slot's pack: done to one answer. `slot` alone means the pack's wire.
    SILENT = "silent"  # no answer, and nothing is done
    LATE = "late"  # the answer comes `amount` ms later (1500)
    GARBLE = "garble"  # `amount` bits of it are turned (1)
    SHORT = "short"  # its last `amount` bytes are missing (1)
    NOISE = "noise"  # `amount` random bytes before it (3)
    ECHO = "echo"  # the request comes back before it
    CLASH = "clash"  # another of the same address answers at once: zeros win
    DEAF = "deaf"  # of a board: acknowledged, and not done

    # In locks, doors and sensors.
    DOOR_STUCK = "door-stuck"  # the lock is pulsed, the door stays shut
    WRONG_DOOR = "wrong-door"  # the pulse goes to slot `amount` (the next one)
    NO_LATCH = "no-latch"  # the door springs open again when it is shut
    POPS = "pops"  # the door opens without any order; once
    DOOR_SEEN_OPEN = "door-seen-open"  # its sensor is stuck
    DOOR_SEEN_SHUT = "door-seen-shut"
    LOCK_SEEN_OPEN = "lock-seen-open"  # the lock's feedback contact is stuck
    LOCK_SEEN_SHUT = "lock-seen-shut"
    DOOR_FLICKERS = "door-flickers"  # its sensor turns every `amount` ms (150)
    SEEN_THERE = "seen-there"  # the presence switch is stuck pressed
    SEEN_GONE = "seen-gone"  # or never presses

    # In packs: what stands in the slot, or comes there.
    PACK_ASLEEP = "pack-asleep"  # its BMS goes into deep sleep; once
    PACK_DEAD = "pack-dead"  # its BMS never answers
    PACK_NONSENSE = "pack-nonsense"  # sound answers, values that cannot be
    OTHER_CODE = "other-code"  # it says the code of another pack; `amount` is its number (9999)
    BAD_CODE = "bad-code"  # it says what is no code
    NO_CODE = "no-code"  # it knows none
    PACK_HOT = "pack-hot"  # its cells have `amount` tenths of a degree (650); once
    PACK_ILL = "pack-ill"  # cells far apart, and it protects itself; once, and it stays with the pack
    SWITCH_BROKEN = "switch-broken"  # its charge switch is broken, and it says so; once, and it stays with the pack
    PACK_EMPTY = "pack-empty"  # deep-discharged; once
    SOC_DROPS = "soc-drops"  # it loses `amount` permille of its capacity (300); once
    PACK_VANISHES = "pack-vanishes"  # through the back of the cabinet; once

    # In chargers.
    RELAY_STUCK_ON = "relay-stuck-on"
    RELAY_STUCK_OFF = "relay-stuck-off"
    NO_CURRENT = "no-current"  # the relay is on, nothing flows
    GREEDY = "greedy"  # it draws `amount` permille of its greatest power (1500)
    CHARGER_ILL = "charger-ill"  # says so by its fault contact, and gives nothing

    # In the cabinet.
    SMOKE = "smoke"
    FIRE = "fire"
    WATER = "water"
    HEAT = "heat"
    EMERGENCY_STOP = "emergency-stop"
    MAINS_LOST = "mains-lost"  # chargers are dark; boards live on the battery behind them
    FAN_DEAD = "fan-dead"
    POWER_CUT = "power-cut"  # boards and chargers are dark; relays fall off
    SEGMENT_DEAD = "segment-dead"  # nobody on any line of the cabinet is heard


_K = CabinetFaultKind

CASES: Final[Mapping[CabinetFaultKind, tuple[str, ...]]] = {
    _K.SILENT: ("F-10", "F-22"), _K.LATE: ("F-10",), _K.GARBLE: ("F-10", "F-27"), _K.SHORT: ("F-10", "F-27"),
    _K.NOISE: ("F-10", "F-59"), _K.ECHO: ("F-59",), _K.CLASH: ("F-59",), _K.DEAF: ("F-11", "F-32", "F-52"),
    _K.DOOR_STUCK: ("F-11", "F-32"), _K.WRONG_DOOR: ("F-12",), _K.NO_LATCH: ("F-20", "F-40"), _K.POPS: ("F-43",),
    _K.DOOR_SEEN_OPEN: ("F-04", "F-13"), _K.DOOR_SEEN_SHUT: ("F-13",), _K.LOCK_SEEN_OPEN: ("F-13",),
    _K.LOCK_SEEN_SHUT: ("F-13",), _K.DOOR_FLICKERS: ("F-61",), _K.SEEN_THERE: ("F-09", "F-26"),
    _K.SEEN_GONE: ("F-26",), _K.PACK_ASLEEP: ("F-22",), _K.PACK_DEAD: ("F-22", "F-26"), _K.PACK_NONSENSE: ("F-27",),
    _K.OTHER_CODE: ("F-23", "F-42", "F-55"), _K.BAD_CODE: ("F-24",), _K.NO_CODE: ("F-24",),
    _K.PACK_HOT: ("F-25", "F-51"), _K.PACK_ILL: ("F-25", "F-51"), _K.SWITCH_BROKEN: ("F-25", "F-51"),
    _K.PACK_EMPTY: ("F-25", "F-30"), _K.SOC_DROPS: ("F-30",), _K.PACK_VANISHES: ("F-30", "F-54", "F-55"),
    _K.RELAY_STUCK_ON: ("F-52",), _K.RELAY_STUCK_OFF: ("F-52",), _K.NO_CURRENT: ("F-52",), _K.GREEDY: ("F-53",),
    _K.CHARGER_ILL: ("F-52",), _K.SMOKE: ("F-50",), _K.FIRE: ("F-50",), _K.WATER: ("F-50",), _K.HEAT: ("F-50",),
    _K.EMERGENCY_STOP: ("F-65",), _K.MAINS_LOST: ("F-08",), _K.FAN_DEAD: ("F-65",), _K.POWER_CUT: ("F-55", "F-56"),
    _K.SEGMENT_DEAD: ("F-60",),
}  # fmt: skip

ON_THE_WIRE: Final = frozenset({_K.SILENT, _K.LATE, _K.GARBLE, _K.SHORT, _K.NOISE, _K.ECHO, _K.CLASH})
"""Done to answers: a count is of answers."""

ONCE: Final = (
    _K.POPS, _K.PACK_ASLEEP, _K.PACK_HOT, _K.PACK_ILL, _K.SWITCH_BROKEN, _K.PACK_EMPTY, _K.SOC_DROPS,
    _K.PACK_VANISHES,
)  # fmt: skip
"""Events: happen as soon as they can in the slot, `count` times (once where that is not said)."""

COUNTED: Final = frozenset({*ON_THE_WIRE, *ONCE, _K.DEAF, _K.DOOR_STUCK, _K.WRONG_DOOR, _K.NO_LATCH})
"""Where a count means something. All others are states, until they are cleared or `for_ms` is over."""

DEFAULT_AMOUNT: Final[Mapping[CabinetFaultKind, int]] = {
    _K.LATE: 1_500, _K.GARBLE: 1, _K.SHORT: 1, _K.NOISE: 3, _K.DOOR_FLICKERS: 150, _K.OTHER_CODE: 9_999,
    _K.PACK_HOT: 650, _K.SOC_DROPS: 300, _K.GREEDY: 1_500,
}  # fmt: skip


class CabinetFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order to go wrong.

    slot: where; None: every slot. board: of faults on the wire, which board; with neither, every board and pack. count:
    how often, None until cleared (`ONCE`: once). for_ms: in force so long; None: no end. chance_permille: of the
    occasions that it hits, for those in `COUNTED` that are not in `ONCE`.
    """

    kind: CabinetFaultKind
    slot: Annotated[int, msgspec.Meta(ge=1, le=255)] | None = None
    board: str | None = None
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    amount: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] | None = None
    for_ms: Annotated[int, msgspec.Meta(ge=1)] | None = None
    chance_permille: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1000

    @property
    def amount_or_usual(self) -> int:
        """The amount ordered, else the kind's default, else 0."""
        return DEFAULT_AMOUNT.get(self.kind, 0) if self.amount is None else self.amount

    @property
    def cases(self) -> tuple[str, ...]:
        """The numbers of the fault cases that it provokes."""
        return CASES[self.kind]


Target = int | str | None
"""A slot's number, a board's name, or the cabinet."""

_Key = tuple[CabinetFaultKind, Target]


class CabinetFaults:
    """The faults in force on one cabinet. Chance and noise come from `seed` alone, so that a run replays."""

    def __init__(self, seed: int = 0, faults: Iterable[CabinetFault] = ()) -> None:
        self.random = Random(seed)  # noqa: S311  (replayable on purpose)
        self.now_ms = 0
        self._active: dict[_Key, CabinetFault] = {}
        self._until_ms: dict[_Key, int] = {}
        for fault in faults:
            self.set(fault)

    def set(self, fault: CabinetFault) -> None:
        """Put a fault in force; one of the same kind at the same place is replaced."""
        key = _key(fault)
        self._active[key] = fault
        self._until_ms.pop(key, None)
        if fault.for_ms is not None:
            self._until_ms[key] = self.now_ms + fault.for_ms

    def clear(
        self, kind: CabinetFaultKind | None = None, slot: int | None = None, board: str | None = None
    ) -> list[CabinetFault]:
        """End those that match all that is said; what was in force."""
        ended = {
            key: fault
            for key, fault in self._active.items()
            if (kind is None or fault.kind is kind)
            and (slot is None or fault.slot == slot)
            and (board is None or fault.board == board)
        }
        for key in ended:
            self._drop(key)
        return list(ended.values())

    def active(self) -> tuple[CabinetFault, ...]:
        """What is in force, with the counts left."""
        return tuple(self._active.values())

    def on(self, kind: CabinetFaultKind, target: Target = None) -> CabinetFault | None:
        """The state, if it is in force there."""
        return (self._active.get((kind, target)) or self._active.get((kind, None))) if self._active else None

    def take(self, kind: CabinetFaultKind, target: Target = None) -> CabinetFault | None:
        """The fault, if it hits now; its count goes down by one. Ask only where it would be done."""
        fault = self.on(kind, target)
        if fault is None:
            return None
        if kind not in ONCE and fault.chance_permille < 1000 and self.random.randrange(1000) >= fault.chance_permille:
            return None
        left = 1 if fault.count is None and kind in ONCE else fault.count
        if left == 1:
            self._drop(_key(fault))
        elif left is not None:
            self._active[_key(fault)] = msgspec.structs.replace(fault, count=left - 1)
        return fault

    def advance(self, ms: int) -> None:
        """Let time pass; what is over is over."""
        self.now_ms += ms
        for key in [key for key, until_ms in self._until_ms.items() if until_ms <= self.now_ms]:
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        self._active.pop(key, None)
        self._until_ms.pop(key, None)


def _key(fault: CabinetFault) -> _Key:
    return fault.kind, fault.board if fault.board is not None else fault.slot


def parse_cabinet_faults(words: Iterable[str]) -> list[CabinetFault]:
    """Faults from a command line: `kind[@place][:count[:amount]]`; place is a slot or a board, `*` as count is until
    cleared. Raises ValueError that names the kinds there are."""
    return [_parse(word) for word in words]


def _parse(word: str) -> CabinetFault:
    name, _, rest = word.partition(":")
    kind, _, place = name.partition("@")
    count, _, amount = rest.partition(":")
    plain: dict[str, object] = {"kind": kind}
    try:
        plain |= ({"slot": int(place)} if place.isdecimal() else {"board": place}) if place else {}
        plain |= {"count": int(count)} if count not in ("", "*") else {}
        plain |= {"amount": int(amount)} if amount else {}
        return msgspec.convert(plain, CabinetFault)
    except (ValueError, msgspec.ValidationError) as error:
        kinds = ", ".join(kind.value for kind in CabinetFaultKind)
        raise ValueError(
            f"fault {word!r}: expected KIND[@SLOT or BOARD][:COUNT[:AMOUNT]] with KIND one of {kinds} ({error})"
        ) from None
