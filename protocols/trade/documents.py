"""Documents that headquarters signs for sites: tariffs today; offers, hot lists and configuration take the same
shape.
"""

from __future__ import annotations

import hashlib

from protocols.trade.codec import Wire, encode
from protocols.trade.records import Amount, Name, Pin

DOMAIN = "fieldtill/document/v1"
TARIFF = "tariff"

BYTES_MAX = 9 * 1024 * 1024
"""Longest encoded document, and longest reply with one: a hot list of a million cards is 8 MB. Others are far below."""


class Document(Wire, frozen=True):
    """payload: the exact encoding of the document's struct. signature: headquarters' grant key over DOMAIN and
    `signed_part`.
    """

    kind: Name
    site: Name  # the one site it is for
    version: Amount
    payload: bytes
    signature: bytes


class Patched(Wire, frozen=True):
    """A document told as what changes in an earlier version, `base`. signature: of the whole document, as above."""

    kind: Name
    site: Name
    version: Amount
    base: Amount
    patch: bytes
    signature: bytes


class _Signed(Wire, frozen=True):
    kind: Name
    site: Name
    version: Amount
    payload: bytes


def signed_part(kind: str, site: str, version: int, payload: bytes) -> bytes:
    """The bytes that the signature of a document covers."""
    return encode(_Signed(kind, site, version, payload))


def pin(document: Document) -> Pin:
    """How a record names this very document."""
    return Pin(document.kind, document.version, hashlib.sha256(document.payload).digest())
