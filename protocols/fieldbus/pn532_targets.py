"""Which cards does a PN532 say are there? Both roles.

count, then of each card its logical number and

    A        SENS_RES(2) SEL_RES  n UID(n)  [m ATS(m - 1)]    ATS when the card knows ISO 14443-4 (SEL_RES bit 5)
    B        ATQB(12): 50 PUPI(4) application(4) protocol(3)  n ATTRIB_RES(n)
    FeliCa   n 01 IDm(8) PMm(8) [system(2)]                   n counts itself: 18 or 20

(facts: cabinets 8; nfcpy; ACS's manual for FeliCa.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocols.fieldbus.card_number import CardNumber, made_up

TARGETS_MAX: Final = 2


class Modulation(Enum):
    """Which cards are looked for."""

    A_106 = 0  # MIFARE and other ISO 14443 A cards, phones
    FELICA_212 = 1
    FELICA_424 = 2
    B_106 = 3


@dataclass(frozen=True, slots=True)
class TargetA:
    """An ISO 14443 A card. uid: 4, 7 or 10 octets. ats: None: it said none, or it was not awaited."""

    target: int
    sens_res: bytes
    sel_res: int
    uid: bytes
    ats: bytes | None = None

    @property
    def made_up(self) -> bool:
        """The number is another one at each tap, as phones do: it is nobody's credential."""
        return made_up(self.uid)

    @property
    def card(self) -> CardNumber:
        return CardNumber(self.uid)


@dataclass(frozen=True, slots=True)
class TargetB:
    """An ISO 14443 B card. atqb: 12 octets, the first one 50. The PUPI in it may be made up at each tap, unsaid."""

    target: int
    atqb: bytes
    attrib_res: bytes

    @property
    def card(self) -> CardNumber:
        """The PUPI."""
        return CardNumber(self.atqb[1:5])


@dataclass(frozen=True, slots=True)
class TargetF:
    """A FeliCa card. idm, pmm: 8 octets each. system: None: it did not say."""

    target: int
    idm: bytes
    pmm: bytes
    system: int | None = None

    @property
    def card(self) -> CardNumber:
        return CardNumber(self.idm)


Target = TargetA | TargetB | TargetF


def targets(modulation: Modulation, said: bytes, *, ats: bool = True) -> tuple[Target, ...] | None:
    """The cards in the response to ListTargets; empty: there is none. None: it is no such response.

    ats: the chip asks ISO 14443-4 cards for theirs, as it does unless SetParameters has told it not to.
    """
    if not said or said[0] > TARGETS_MAX:
        return None
    found: list[Target] = []
    rest = said[1:]
    for _ in range(said[0]):
        taken = _taken(modulation, rest, ats)
        if taken is None:
            return None
        target, size = taken
        found.append(target)
        rest = rest[size:]
    return None if rest else tuple(found)


def targets_data(said: tuple[Target, ...]) -> bytes:
    """What the chip says of these cards."""
    return bytes((len(said),)) + b"".join(map(_target, said))


def _target(target: Target) -> bytes:
    match target:
        case TargetA(number, sens_res, sel_res, uid, ats):
            tail = b"" if ats is None else bytes((len(ats) + 1,)) + ats
            return bytes((number, *sens_res, sel_res, len(uid))) + uid + tail
        case TargetB(number, atqb, attrib_res):
            return bytes((number,)) + atqb + bytes((len(attrib_res),)) + attrib_res
        case TargetF(number, idm, pmm, system):
            tail = b"" if system is None else system.to_bytes(2, "big")
            return bytes((number, 18 + len(tail), 0x01)) + idm + pmm + tail


def _taken(modulation: Modulation, rest: bytes, ats: bool) -> tuple[Target, int] | None:
    """The card that `rest` begins with, and its size."""
    match modulation:
        case Modulation.A_106:
            return _target_a(rest, ats)
        case Modulation.B_106:
            return _target_b(rest)
        case _:
            return _target_f(rest)


def _target_a(rest: bytes, ats: bool) -> tuple[TargetA, int] | None:
    size = 5 + rest[4] if len(rest) >= 5 else 0
    if not size or rest[4] not in (4, 7, 10) or len(rest) < size:
        return None
    target, sens_res, sel_res, uid = rest[0], rest[1:3], rest[3], rest[5:size]
    if not ats or not sel_res & 0x20 or len(rest) == size:
        return TargetA(target, sens_res, sel_res, uid), size
    end = size + rest[size]
    if rest[size] == 0 or len(rest) < end:
        return None
    return TargetA(target, sens_res, sel_res, uid, rest[size + 1 : end]), end


def _target_b(rest: bytes) -> tuple[TargetB, int] | None:
    if len(rest) < 14 or rest[1] != 0x50 or len(rest) < 14 + rest[13]:
        return None
    end = 14 + rest[13]
    return TargetB(rest[0], rest[1:13], rest[14:end]), end


def _target_f(rest: bytes) -> tuple[TargetF, int] | None:
    if len(rest) < 3 or rest[1] not in (18, 20) or rest[2] != 0x01 or len(rest) < 1 + rest[1]:
        return None
    end = 1 + rest[1]
    system = int.from_bytes(rest[19:end], "big") if rest[1] == 20 else None
    return TargetF(rest[0], rest[3:11], rest[11:19], system), end
