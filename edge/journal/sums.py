"""Is a small value on the disk the one that was written? SQLite does not say: a bit that turns stays unnoticed.

Records hash to the signed head, so theirs are found out. What changes from commit to commit (a running session's row,
a fact, a fold, a cosigned note) carries eight bytes of its own SHA-256 behind it.
"""

from __future__ import annotations

import hashlib

from edge.journal.errors import JournalDamaged

SUM_BYTES = 8


def with_sum(data: bytes) -> bytes:
    """As it is stored."""
    return data + hashlib.sha256(data).digest()[:SUM_BYTES]


def without_sum(stored: bytes, what: str) -> bytes:
    """As it was given to `with_sum`. Raises JournalDamaged, naming `what`."""
    data = stored[:-SUM_BYTES]
    if with_sum(data) != stored:
        raise JournalDamaged(f"{what} is not what was written")
    return data
