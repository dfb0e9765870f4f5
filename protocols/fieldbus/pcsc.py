"""What is said to a PC/SC reader (ACR122U and others) to learn the number of the card on it? Both roles.

    FF CA 00 00 00   ->   UID, first octet first   90 00
    FF CA 01 00 00   ->   ATS (ISO 14443-4 A)      90 00

Commands and replies go as they are through the reader's driver (pyscard), which guards them; two status octets end each
reply. The reader gives a number of 4 octets for cards of type B too (PUPI), and 8 for FeliCa (IDm).
(facts: cabinets 8; ACS's manuals for the refusals.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocols.fieldbus.card_number import OCTETS_MAX, CardNumber

GET_UID: Final = b"\xff\xca\x00\x00\x00"
GET_ATS: Final = b"\xff\xca\x01\x00\x00"

UID_MIN: Final = 4


class Refused(Enum):
    """Why there is no number."""

    FAILED = "failed"  # 63 00: the card is gone, or did not answer
    UNSUPPORTED = "unsupported"  # 6A 81: this reader, or this card, has none
    LENGTH = "length"  # 62 82, 6C xx: the reader wants another count asked for
    OTHER = "other"  # another status, or no reply at all


_REFUSALS: Final = {0x6300: Refused.FAILED, 0x6A81: Refused.UNSUPPORTED, 0x6282: Refused.LENGTH}


@dataclass(frozen=True, slots=True)
class Reply:
    """status: SW1 and SW2; 9000: done."""

    data: bytes
    status: int


def parse(reply: bytes) -> Reply | None:
    """None: it is too short for one."""
    return Reply(reply[:-2], int.from_bytes(reply[-2:], "big")) if len(reply) >= 2 else None


def encode(reply: Reply) -> bytes:
    """The reader's reply."""
    return reply.data + reply.status.to_bytes(2, "big")


def card(reply: bytes) -> CardNumber | Refused:
    """From the reply to GET_UID."""
    parsed = parse(reply)
    if parsed is None:
        return Refused.OTHER
    if parsed.status == 0x9000 and UID_MIN <= len(parsed.data) <= OCTETS_MAX:
        return CardNumber(parsed.data)
    if parsed.status >> 8 == 0x6C:
        return Refused.LENGTH
    return _REFUSALS.get(parsed.status, Refused.OTHER)


def answer(command: bytes, uid: bytes | None, ats: bytes | None = None) -> bytes:
    """The reader's reply to a command. uid: of the card on it; None: there is none. ats: None: it has none."""
    if command not in (GET_UID, GET_ATS):
        return encode(Reply(b"", 0x6A81))
    if uid is None:
        return encode(Reply(b"", 0x6300))
    data = uid if command == GET_UID else ats
    return encode(Reply(b"", 0x6A81) if data is None else Reply(data, 0x9000))
