"""How does a customer's phone carry a grant to a site without a link? As text in a QR code: `FT1:` and base45.

    FT1:  base45( length of the grant, 2 bytes | signed grant | start, or nothing )
                                                 start = payload | signature, 64 bytes

The grant is the very bytes that headquarters signed (protocols.trade.grants): for one account, one site and one epoch,
in total, so that showing it twice changes nothing. It adds rights, never authority: who may draw on it stands in the
grant. A start does order something; it names a connector and a number that only rises per account, and is signed
together with the grant's account, site and epoch, so that it fits no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec

from protocols.proof import keys
from protocols.proof.errors import BadSignature
from protocols.trade import base45, grants
from protocols.trade.codec import NotCanonical, Wire, decode, encode
from protocols.trade.grants import SIGNATURE_BYTES, Grant
from protocols.trade.records import Amount, Name, Preset

PREFIX = "FT1:"
START_DOMAIN = "fieldtill/carried-start/v1"
TEXT_MAX = 4_296
"""Longest text read: what the largest QR code (40-L) holds in alphanumeric mode."""

_LENGTH_BYTES = 2
_BYTES_MAX = (TEXT_MAX - len(PREFIX)) // 3 * 2 - _LENGTH_BYTES


class CarriedStart(Wire, frozen=True):
    """Start one session on this connector. It runs at most once.

    number: rises with every start that headquarters gives for the account; the opening record stores it, and a lower or
    equal one is refused. expires_s: not after this Unix second, tested against the clock's lower bound.
    """

    connector: Name
    number: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    preset: Preset
    expires_s: Amount


class _SignedStart(Wire, frozen=True):
    account: Name
    site: Name
    epoch: Amount
    start: CarriedStart


class Fault(StrEnum):
    """What is wrong with a code that was shown, in order of precedence."""

    NOT_OURS = "not-ours"
    CUT_OFF = "cut-off"
    UNREADABLE = "unreadable"
    FORGED = "forged"
    WRONG_SITE = "wrong-site"
    WRONG_EPOCH = "wrong-epoch"
    EXPIRED = "expired"


_REMEDIES = {
    Fault.NOT_OURS: "Show the code of this operator's charging page, not another one.",
    Fault.CUT_OFF: "Show the whole code, flat and bright, or paste all of its text.",
    Fault.UNREADABLE: "Scan it again; if that does not help, get a new code.",
    Fault.FORGED: "Get a new code from the operator's page; if that one is refused too, the box pins other keys.",
    Fault.WRONG_SITE: "Get a code for this site; the value of the other one stays yours.",
    Fault.WRONG_EPOCH: "Get a new code: the site's box was set up anew after this one was made.",
    Fault.EXPIRED: "Get a new code; the money is still yours.",
}


class BadCode(ValueError):
    """The code shown is of no use here. Nothing has changed. fault: for programs; the text: for a person."""

    def __init__(self, fault: Fault, what: str) -> None:
        super().__init__(what)
        self.fault = fault
        self.remedy = _REMEDIES[fault]


class TooLong(ValueError):
    """No QR code holds this grant."""

    remedy = "Let the site fetch the grant itself, or give the account fewer cards."


@dataclass(frozen=True, slots=True)
class Carried:
    """A code as read. grant_bytes: grant and signature, as `grants.split` takes them. Nothing is verified yet."""

    grant_bytes: bytes
    grant: Grant
    start: CarriedStart | None = None
    start_signature: bytes = b""


def write(grant_bytes: bytes, start: bytes = b"") -> str:
    """The text of a signed grant and, if given, of a start as `join_start` makes it. Equal inputs give equal text.

    Raises TooLong for a grant with more credentials than a QR code holds: some 250.
    """
    if len(grant_bytes) + len(start) > _BYTES_MAX:
        raise TooLong(f"expected at most {_BYTES_MAX} bytes, got {len(grant_bytes) + len(start)}")
    return PREFIX + base45.encode(len(grant_bytes).to_bytes(_LENGTH_BYTES, "big") + grant_bytes + start)


def read(text: str) -> Carried:
    """What a code says; white space around it is ignored. Raises BadCode: NOT_OURS, CUT_OFF or UNREADABLE."""
    text = text.strip()
    if not text.startswith(PREFIX):
        raise BadCode(Fault.NOT_OURS, f"expected a code that begins with {PREFIX}, got {text[:12]!r}")
    if len(text) > TEXT_MAX:
        raise BadCode(Fault.NOT_OURS, f"expected at most {TEXT_MAX} characters, got {len(text)}")
    try:
        data = base45.decode(text[len(PREFIX) :])
    except base45.NotBase45 as error:
        raise BadCode(Fault.CUT_OFF if error.cut_off else Fault.UNREADABLE, str(error)) from None
    length, rest = int.from_bytes(data[:_LENGTH_BYTES], "big"), data[_LENGTH_BYTES:]
    if len(data) < _LENGTH_BYTES or len(rest) < length:
        raise BadCode(Fault.CUT_OFF, f"expected a grant of {length} bytes, got {len(rest)}")
    grant_bytes, start = rest[:length], rest[length:]
    if 0 < len(start) <= SIGNATURE_BYTES:
        raise BadCode(Fault.CUT_OFF, f"expected a start and its signature, got {len(start)} bytes")
    try:
        grant, _, _ = grants.split(grant_bytes)
        if not start:
            return Carried(grant_bytes, grant)
        return Carried(grant_bytes, grant, decode(start[:-SIGNATURE_BYTES], CarriedStart), start[-SIGNATURE_BYTES:])
    except NotCanonical as error:
        raise BadCode(Fault.UNREADABLE, str(error)) from None


def verify(carried: Carried, hq_grant_public: bytes) -> None:
    """Return when headquarters' grant key signed the grant and, if there is one, the start. Raises BadCode: FORGED."""
    _, payload, signature = grants.split(carried.grant_bytes)
    try:
        keys.verify(hq_grant_public, grants.DOMAIN, payload, signature)
        if carried.start is not None:
            keys.verify(
                hq_grant_public, START_DOMAIN, start_payload(carried.grant, carried.start), carried.start_signature
            )
    except BadSignature:
        raise BadCode(Fault.FORGED, "the code is not signed by the headquarters that this box trusts") from None


def require_for(carried: Carried, site: str, epoch: int) -> None:
    """Return when the grant is for this very site and epoch. Raises BadCode: WRONG_SITE or WRONG_EPOCH."""
    grant = carried.grant
    if grant.site != site:
        raise BadCode(Fault.WRONG_SITE, f"the code is for site {grant.site}; this is {site}")
    if grant.epoch != epoch:
        raise BadCode(Fault.WRONG_EPOCH, f"the code is for epoch {grant.epoch} of this site; this is epoch {epoch}")


def require_live(start: CarriedStart, clock_lb_s: int) -> None:
    """Return unless the start's time is certainly over. clock_lb_s: the least Unix time it can be. Raises BadCode."""
    if clock_lb_s > start.expires_s:
        raise BadCode(Fault.EXPIRED, f"the start was good until {clock_lb_s - start.expires_s} s ago")


def start_payload(grant: Grant, start: CarriedStart) -> bytes:
    """What the signature of a start covers: whose, where, and the start itself."""
    return encode(_SignedStart(grant.account, grant.site, grant.epoch, start))


def join_start(start: CarriedStart, signature: bytes) -> bytes:
    """The bytes of a start that travel. signature: headquarters' grant key over START_DOMAIN and `start_payload`."""
    if len(signature) != SIGNATURE_BYTES:
        raise ValueError(f"expected a signature of {SIGNATURE_BYTES} bytes, got {len(signature)}")
    return encode(start) + signature
