"""What does the whole log say? The till's state after its last record, by the fold that everybody uses."""

from __future__ import annotations

from edge.journal.journal import Journal
from edge.journal.prune import pruned_fold
from edge.till.fold import apply, owned, released
from edge.till.state import TillState, decode_state
from protocols.trade.codec import decode
from protocols.trade.records import Record

FOLD_RECORDS, FOLD_BYTES = 1_000, 4 * 1024 * 1024
"""How much of the log is in memory at once while it is folded."""


def fold_log(journal: Journal) -> TillState:
    """From the newest snapshot that this software can read, else from the first record that is kept."""
    state = TillState()
    snapshot = journal.snapshot()
    if snapshot is not None:
        try:
            state = decode_state(snapshot.payload)
        except ValueError:  # another version's snapshot: the log itself is always readable
            state = TillState()
    if state.size < journal.base_size:
        state = pruned_fold(journal).state
    state = owned(state)
    while batch := journal.read(state.size, FOLD_RECORDS, FOLD_BYTES):
        for data in batch:
            state = apply(state, decode(data, Record))
    return released(state)
