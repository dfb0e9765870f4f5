"""Grants: headquarters' signed, cumulative statement of what an account may spend at one site.

All counters only grow and merge by maximum, so that a grant lost, repeated, late or carried twice changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated

import msgspec

from protocols.trade.codec import NotCanonical, Wire, decode, encode
from protocols.trade.records import Amount, Name

SIGNATURE_BYTES = 64
DOMAIN = "fieldtill/grant/v1"


class CredentialKey(Wire, frozen=True):
    """The fleet's key under which card numbers are hidden; its version stands in every grant."""

    version: Amount
    key: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Grant(Wire, frozen=True):
    """Account `account` has been granted `granted` in total of `asset` at this site and epoch.

    serial rises with every grant of the lease; the newest one's limits hold. expires_s: after this Unix second, tested
    against the clock's lower bound, no new holds; the money stays. session_limit: greatest hold of one session;
    0: none is set. A grant with neither a limit nor credentials is of a frozen account, and opens no session at all.
    may_stay: rights beyond this are returned after a session. credentials: HMACs (see hide_credential) that may draw
    on it.
    """

    account: Name
    asset: Name
    site: Name
    epoch: Annotated[int, msgspec.Meta(ge=1)]
    serial: Amount
    granted: Amount
    issued_s: Amount
    expires_s: Amount
    session_limit: Amount
    may_stay: Amount
    credential_key: Amount
    credentials: list[bytes]


def hide_credential(key: CredentialKey, credential: str) -> bytes:
    """A card number as it stands in grants and records: 8 bytes of HMAC-SHA256; card numbers are guessable from a
    plain hash.
    """
    return hmac.new(key.key, credential.strip().upper().encode(), hashlib.sha256).digest()[:8]


def join(grant: Grant, signature: bytes) -> bytes:
    """The bytes that travel: the grant, then its signature over DOMAIN."""
    if len(signature) != SIGNATURE_BYTES:
        raise ValueError(f"expected a signature of {SIGNATURE_BYTES} bytes, got {len(signature)}")
    return encode(grant) + signature


def split(signed: bytes) -> tuple[Grant, bytes, bytes]:
    """(grant, the exact bytes signed, signature). The signature is not checked here. Raises NotCanonical."""
    if len(signed) <= SIGNATURE_BYTES:
        raise NotCanonical(f"expected a grant and {SIGNATURE_BYTES} bytes of signature, got {len(signed)} bytes in all")
    payload, signature = signed[:-SIGNATURE_BYTES], signed[-SIGNATURE_BYTES:]
    return decode(payload, Grant), payload, signature
