"""Is a small value on the disk the one that was written? SQLite does not say: a bit that turns stays unnoticed.

Records hash to the signed head, so theirs are found out. What changes from commit to commit (a running session's row,
a fact, a fold, a cosigned note) carries eight bytes of its own SHA-256 behind it.
"""

from __future__ import annotations

import hashlib

from edge.journal.errors import JournalDamaged

SUM_BYTES = 8


def with_sum(data: bytes, what: str) -> bytes:
    """As it is stored. The sum covers `what` it is as well: the name of a row can be damaged like its value."""
    return data + hashlib.sha256(what.encode() + b"\n" + data).digest()[:SUM_BYTES]


def without_sum(stored: bytes, what: str) -> bytes:
    """As it was given to `with_sum`. Raises JournalDamaged, naming `what`."""
    data = stored[:-SUM_BYTES]
    if with_sum(data, what) != stored:
        raise JournalDamaged(f"{what} is not what was written")
    return data


def row(session: int) -> str:
    return f"the row of session {session}"


def base(size: int) -> str:
    return f"the signed snapshot of size {size}"


def fact(key: str) -> str:
    return f"the fact {key!r}"


def document(kind: str, version: int, hashed: bytes) -> str:
    return f"the {kind} of version {version}, {hashed.hex()[:16]}"


def cosigned(size: int) -> str:
    return f"what headquarters cosigned at size {size}"


def snapshot(size: int) -> str:
    return f"the snapshot of size {size}"
