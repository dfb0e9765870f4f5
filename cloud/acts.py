"""How is an act that somebody orders done once, however often it is ordered? Whoever orders it numbers it.

The number, with a digest of what was ordered, is stored beside the record of headquarters' log that did it. A repeat
is answered with that record; the same number for anything else is somebody's mistake and refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa

from cloud import schema
from protocols.trade import books
from protocols.trade.codec import encode

REFERENCE_MAX = 80
"""Longest number of an act, in characters."""


class Denied(Exception):
    """The act is not done, and nothing has changed. what, and what to do instead."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def done_before(connection: sa.Connection, reference: str, ordered: Sequence[object]) -> int | None:
    """The serial (seq in headquarters' log) of the act of this reference; None: it is new.

    The caller holds headquarters' head (hqlog.lock). Raises Denied where the reference was used for another act.
    """
    if not 0 < len(reference) <= REFERENCE_MAX or "\x00" in reference:
        raise Denied(f"expected a reference of 1 to {REFERENCE_MAX} characters", "Use the payer's own number.")
    before = connection.execute(_BEFORE, {"reference": reference}).one_or_none()
    if before is None:
        return None
    if before.digest != _digest(ordered):
        remedy = "Give every payment its own reference number; look this one up before trying again."
        raise Denied(f"reference {reference} was used for another act, serial {before.seq}", remedy)
    return int(before.seq)


def note(connection: sa.Connection, reference: str, ordered: Sequence[object], serial: int) -> None:
    """Keep that `serial` did what was ordered, in the transaction that does it."""
    log = connection.execute(_OWN_LOG).scalar_one()
    row = {"reference": reference, "digest": _digest(ordered), "log": log, "seq": serial}
    connection.execute(schema.acts.insert(), row)


_BEFORE = sa.select(schema.acts).where(schema.acts.c.reference == sa.bindparam("reference"))
_OWN_LOG = sa.select(schema.epochs.c.id).where(schema.epochs.c.site == books.HQ)


def _digest(ordered: Sequence[object]) -> bytes:
    return hashlib.sha256(encode(list(ordered))).digest()
