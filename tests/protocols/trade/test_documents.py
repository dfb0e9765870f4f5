"""What headquarters signs for a site: what the signature covers, and how a record names a document."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from protocols.trade.codec import decode, encode
from protocols.trade.documents import TARIFF, Document, pin, signed_part
from protocols.trade.records import Pin
from protocols.trade.tariff import Tariff

from .samples import CITY

PAYLOAD = encode(CITY)
DOCUMENT = Document(TARIFF, "S1", 7, PAYLOAD, bytes(64))


def test_a_document_carries_its_payload_untouched() -> None:
    """What arrives is the very tariff that was signed."""
    again = decode(encode(DOCUMENT), Document)
    assert again == DOCUMENT
    assert decode(again.payload, Tariff) == CITY


def test_a_pin_names_the_exact_bytes() -> None:
    """SHA-256 of the payload; the signature does not change what a document says."""
    expected = Pin("tariff", 7, hashlib.sha256(PAYLOAD).digest())
    assert pin(DOCUMENT) == expected
    assert pin(msgspec.structs.replace(DOCUMENT, signature=bytes(range(64)))) == expected


@pytest.mark.parametrize(
    "other",
    [
        ("offers", "S1", 7, PAYLOAD),
        ("tariff", "S2", 7, PAYLOAD),
        ("tariff", "S1", 8, PAYLOAD),
        ("tariff", "S1", 7, b""),
    ],
)
def test_the_signature_covers_each_part(other: tuple[str, str, int, bytes]) -> None:
    """A document cannot be passed off as another kind, for another site, or as another version."""
    assert signed_part(*other) != signed_part("tariff", "S1", 7, PAYLOAD)


def test_the_signed_bytes_never_change() -> None:
    """An array of kind, site, version, payload."""
    assert signed_part("tariff", "S1", 7, b"\x01\x02").hex() == "94a6746172696666a2533107c4020102"
