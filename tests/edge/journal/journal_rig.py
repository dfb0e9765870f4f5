"""What the journal's tests share: a site, its key, and records that are quickly made."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.journal.journal import Journal
from edge.journal.step import Sealed, Step
from protocols.trade import records
from protocols.trade.codec import encode
from protocols.trade.records import ClockQuality, Draft, Stamp, TechnicianAct

SITE = "shenzhen-7"
EPOCH = 3
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG_PUBLIC = LOG_KEY.public_key().public_bytes_raw()
STAMP = Stamp(b"boot-one", 1_000, 1_767_300_000_000, ClockQuality.INFORMATIVE, 1_767_225_600_000, None)
BALLAST_BYTES = 64 * 1024


def act(detail: str, size: int = 0) -> Draft:
    """A record that a person made; `size` pads it."""
    return Draft(TechnicianAct("li", "looked", detail.ljust(size, ".")))


def sealed(first_seq: int, count: int) -> list[Sealed]:
    """Records as a journal seals them, for tests of the store alone."""
    made = (records.seal(act(f"record {seq}", 100), STAMP) for seq in range(first_seq, first_seq + count))
    return [Sealed(seq, record, encode(record)) for seq, record in enumerate(made, first_seq)]


def create(path: Path, second_copy: Path | None = None) -> Journal:
    return Journal.create(path, SITE, EPOCH, LOG_KEY, ballast_bytes=BALLAST_BYTES, second_copy=second_copy)


def reopen(path: Path, second_copy: Path | None = None) -> Journal:
    return Journal.open(path, LOG_KEY, ballast_bytes=BALLAST_BYTES, second_copy=second_copy)


async def fill(journal: Journal, count: int, size: int = 300) -> None:
    """Commit `count` records in one step."""
    drafts = [act(f"record {journal.next_seq + index}", size) for index in range(count)]
    await journal.commit(Step(journal.seal(drafts, STAMP)))


async def filled(path: Path, count: int, second_copy: Path | None = None) -> None:
    """A closed journal of `count` records."""
    journal = create(path, second_copy)
    await fill(journal, count)
    await journal.close()
