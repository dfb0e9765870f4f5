"""Does the second copy know more than the journal? Then what it knows is put back, record for record.

The copy is written after the journal's own commit. If it is longer, the journal's disk has lost what it had promised
to keep, or an older image of it was put back: going on from there would fork the log. What the copy has up to a head
that this log's key has signed is the log; it is committed again, and the head comes out the same to the byte.
"""

from __future__ import annotations

from edge.journal.errors import JournalDamaged
from edge.journal.second_copy import Copies
from edge.journal.step import Sealed, Step
from edge.journal.store import Store
from protocols.proof import checkpoint, keys
from protocols.proof.errors import Unproven
from protocols.proof.tree import leaf_hash
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.records import Record, SessionClosed, SessionVoided, body_of
from protocols.trade.records_fuel import FillingClosed

_CHUNK = 1_000


def go_forward(store: Store, copies: Copies) -> int:
    """Put back what the copy has beyond the journal; how many records. Raises JournalDamaged, and then nothing is.

    A session's row that was lost with them is not in the copy: a session that is still open is settled from its
    opening record, or from an older row.
    """
    before = store.head.size
    try:
        note, size = copies.head()
        sealed = [_sealed(copies, seq) for seq in range(before, size)]
    except OSError:
        return 0  # a medium that cannot be read is no damage; `SecondCopy.failed` tells of it
    if not sealed:
        return 0
    _require_signed(store, note, sealed)
    for first in range(0, len(sealed), _CHUNK):
        chunk = sealed[first : first + _CHUNK]
        store.commit([Step(chunk, progress={seq: None for one in chunk for seq in _ended(one.record)})])
    return len(sealed)


def _sealed(copies: Copies, seq: int) -> Sealed:
    data = copies.record(seq)
    if data is None:
        raise JournalDamaged("missing, and the second copy, which goes on beyond it, cannot be read there", seq=seq)
    try:
        return Sealed(seq, decode(data, Record), data)
    except NotCanonical as error:
        raise JournalDamaged(f"missing, and in the second copy: {error}", seq=seq) from error


def _require_signed(store: Store, note: bytes, sealed: list[Sealed]) -> None:
    """The copy's head is this log's own, and these records lead from the journal's to it."""
    identity = store.identity
    try:
        signed = checkpoint.verify_checkpoint(note, keys.log_verifier(identity.site, identity.epoch, identity.log_key))
    except Unproven as error:
        raise JournalDamaged(f"the second copy goes on, and its head is not this log's: {error}") from error
    frontier = store.head.frontier.append_many([leaf_hash(one.data) for one in sealed])
    if (frontier.size, frontier.root()) != (signed.size, signed.root):
        raise JournalDamaged(
            f"the second copy goes on to {signed.size} records, and not from these: one of the two is another log's",
            seq=store.head.size,
        )


def _ended(record: Record) -> list[int]:
    body = body_of(record)
    return [body.session] if isinstance(body, SessionClosed | FillingClosed | SessionVoided) else []
