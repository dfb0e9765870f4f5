"""Damage is found before anything is served, named, and what can be read is saved."""

# ruff: noqa: ASYNC240 - tests touch files between commits

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from journal_rig import EPOCH, LOG_KEY, LOG_PUBLIC, SITE, STAMP, act, create, fill, filled, reopen, sealed

from edge.journal import sums
from edge.journal.connection import PAGE_BYTES
from edge.journal.errors import JournalDamaged, JournalError, JournalLocked
from edge.journal.recovery import check
from edge.journal.salvage import salvage
from edge.journal.second_copy import Copies, read_segment
from edge.journal.step import Step
from edge.journal.sums import with_sum
from protocols.proof import checkpoint, keys
from protocols.proof.tree import EMPTY_ROOT

ORIGIN = keys.origin(SITE, EPOCH)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "stick"


def alter(path: Path, sql: str, *parameters: object) -> None:
    """Change the closed journal as a failing disk might, or a person with the wrong tool."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(sql, parameters)
    connection.close()


FORGED = checkpoint.sign_checkpoint(checkpoint.Checkpoint(ORIGIN, 100, EMPTY_ROOT), Ed25519PrivateKey.generate())
EARLIER = checkpoint.sign_checkpoint(checkpoint.Checkpoint(ORIGIN, 99, EMPTY_ROOT), LOG_KEY)
OTHER = sealed(40, 1)[0].data

DAMAGE: dict[str, tuple[str, tuple[object, ...], str, int | None]] = {
    "a record is gone": ("DELETE FROM records WHERE seq = 41", (), "record 41: missing", 41),
    "the last records are gone": ("DELETE FROM records WHERE seq >= 98", (), "record 98: missing", 98),
    "a record was replaced": (
        "UPDATE records SET bytes = ? WHERE seq = 40",
        (OTHER,),
        "does not hash to the signed",
        32,
    ),
    "a record is no record": ("UPDATE records SET bytes = x'00' WHERE seq = 7", (), "record 7: expected Record", 7),
    "records behind the head": ("INSERT INTO records VALUES (100, ?)", (OTHER,), "lie behind the signed head", 100),
    "the head is gone": ("DELETE FROM head", (), "the signed head is missing", None),
    "the frontier is torn": ("UPDATE head SET frontier = x'0000'", (), "the frontier of the head", None),
    "the note is another key's": ("UPDATE head SET note = ?", (FORGED,), "the signed head: ", None),
    "the note is an earlier one": ("UPDATE head SET note = ?", (EARLIER,), "signed with 99 records, and 100", 100),
    "headquarters has more": (
        "INSERT INTO cosigned VALUES (1, 120, ?)",
        (with_sum(FORGED.replace(b"\n100\n", b"\n120\n"), sums.cosigned(120)),),
        "100 records, fewer than what headquarters cosigned at size 120",
        100,
    ),
    "headquarters has another": (
        "INSERT INTO cosigned VALUES (1, 100, ?)",
        (with_sum(FORGED, sums.cosigned(100)),),
        "what headquarters cosigned",
        96,
    ),
    "headquarters' note has a turned bit": (
        "INSERT INTO cosigned VALUES (1, 100, ?)",
        (with_sum(FORGED, sums.cosigned(100))[:-1] + b"?",),
        "what headquarters cosigned at size 100 is not what was written",
        None,
    ),
    "a session's row has a turned bit": (
        "INSERT INTO progress VALUES (3, ?)",
        (b"\x00" + with_sum(b"row", sums.row(3))[1:],),
        "the row of session 3 is not what was written",
        None,
    ),
    "a fact has a turned bit": (
        "INSERT INTO facts VALUES ('cursor', ?)",
        (b"\x00" + with_sum(b"fact", sums.fact("cursor"))[1:],),
        "the fact 'cursor' is not what was written",
        None,
    ),
    "a fact goes by another name": (
        "INSERT INTO facts VALUES ('cur3or', ?)",
        (with_sum(b"fact", sums.fact("cursor")),),
        "the fact 'cur3or' is not what was written",
        None,
    ),
    "a snapshot has a turned bit": (
        "INSERT INTO snapshots VALUES (50, x'', ?)",
        (b"\x00" + with_sum(b"fold", sums.snapshot(50))[1:],),
        "the snapshot of size 50 is not what was written",
        None,
    ),
}


@pytest.mark.parametrize(("sql", "parameters", "message", "seq"), DAMAGE.values(), ids=DAMAGE.keys())
async def test_damage_is_named_before_serving(
    path: Path, sql: str, parameters: tuple[object, ...], message: str, seq: int | None
) -> None:
    """Every way in which tables, hashes and signatures can disagree is refused, with the first record affected."""
    await filled(path, 100)
    alter(path, sql, *parameters)
    with pytest.raises(JournalDamaged, match=message) as caught:
        reopen(path)
    assert caught.value.seq == seq
    assert "fieldtill journal salvage" in caught.value.remedy


async def test_a_file_without_a_log_is_not_damage(path: Path) -> None:
    """A creation that was cut short says what to do, and can be repeated."""
    await create(path).close()
    alter(path, "DELETE FROM log")
    with pytest.raises(JournalError, match="holds no log") as caught:
        reopen(path)
    assert "setup" in caught.value.remedy
    await create(path).close()


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + b"\xa5" * 5_000, b"not a database" * 500])
def test_a_file_that_is_no_database(path: Path, content: bytes) -> None:
    """An empty file holds no log yet; another one is damaged. Neither ends in a traceback of SQLite's."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(JournalError) as caught:
        reopen(path)
    assert isinstance(caught.value, JournalDamaged) == bool(content)
    assert caught.value.remedy


async def test_a_bad_snapshot_is_told_from_a_bad_log(path: Path) -> None:
    """A start hashes only what follows the snapshot; when that fails it starts over and names the snapshot."""
    await filled(path, 100)
    journal = reopen(path)
    await journal.commit(Step(journal.seal([act("last")], STAMP), snapshot=b"fold"))
    await fill(journal, 5)
    await journal.close()
    frontier = b"\0" * 7 + b"\x65" + b"\0" * 32 * (101).bit_count()
    alter(path, "UPDATE snapshots SET frontier = ?", frontier)
    with pytest.raises(JournalDamaged, match="the snapshot of size 101"):
        reopen(path)


async def test_old_damage_is_found_by_the_full_check(path: Path) -> None:
    """A start trusts the snapshot for older records; `fieldtill journal check` hashes all of them."""
    journal = create(path)
    await fill(journal, 1_200)
    await journal.commit(Step(snapshot=b"fold"))
    await journal.close()
    alter(path, "UPDATE records SET bytes = ? WHERE seq = 40", OTHER)
    await reopen(path).close()
    with pytest.raises(JournalDamaged) as caught:
        check(path, LOG_PUBLIC, full=True)
    assert caught.value.seq == 32


def overwrite_page(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(b"\xa5" * PAGE_BYTES)


def leaf_pages(path: Path) -> list[int]:
    """Pages of the records table that hold records and nothing else, found by their bytes."""
    data = path.read_bytes()
    pages = range(2, len(data) // PAGE_BYTES + 1)
    return [page for page in pages if b"record 5" in data[(page - 1) * PAGE_BYTES : page * PAGE_BYTES]]


async def test_a_bad_page_costs_only_what_lies_on_it(path: Path, tmp_path: Path) -> None:
    """A page of flash gone bad: the journal is refused; salvage saves every other record and says which are lost."""
    await filled(path, 100)
    overwrite_page(path, leaf_pages(path)[0])
    before = path.read_bytes()
    with pytest.raises(JournalDamaged):
        reopen(path)
    into = tmp_path / "saved" / "journal.db"
    result = salvage(path, into)
    lost = sum(last - first + 1 for first, last in result.missing)
    assert not result.complete
    assert (result.size, result.read) == (100, 100 - lost)
    assert 0 < lost < 30
    assert path.read_bytes() == before
    with pytest.raises(JournalDamaged):
        reopen(into)


async def test_with_a_second_copy_nothing_is_lost(path: Path, copy: Path, tmp_path: Path) -> None:
    """Salvage fills the gaps from the other medium; the result hashes to the signed head and serves again."""
    await filled(path, 100, copy)
    overwrite_page(path, leaf_pages(path)[0])
    into = tmp_path / "saved" / "journal.db"
    result = salvage(path, into, second_copy_directory=copy)
    assert result.complete, result
    assert result.from_second_copy > 0
    journal = reopen(into, copy)
    assert journal.size == 100
    await fill(journal, 1)
    await journal.close()


async def test_salvage_of_a_whole_journal_is_that_journal(path: Path, tmp_path: Path) -> None:
    """Records, values and head are copied; receipts can be made as before."""
    journal = create(path)
    await fill(journal, 70)
    await journal.commit(Step(progress={3: b"row"}, facts={"key": b"value"}, snapshot=b"fold"))
    await journal.store_cosignature(journal.checkpoint(), 70)
    receipt, head = journal.receipt(33), journal.checkpoint()
    with pytest.raises(JournalLocked):
        salvage(path, tmp_path / "new.db")
    await journal.close()
    result = salvage(path, tmp_path / "new.db")
    assert (result.complete, result.missing, result.problems) == (True, [], [])
    journal = reopen(tmp_path / "new.db")
    assert (journal.checkpoint(), journal.receipt(33)) == (head, receipt)
    assert (journal.progress(), journal.fact("key"), journal.cosigned()) == ({3: b"row"}, b"value", (70, head))
    await journal.close()
    with pytest.raises(JournalError, match="exists"):
        salvage(path, tmp_path / "new.db")


# --- the second copy -------------------------------------------------------------------------------------------------


def cut_tail(segment: Path) -> None:
    data = segment.read_bytes()
    segment.write_bytes(data[:-30])


def flip_middle(segment: Path) -> None:
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)


def remove(segment: Path) -> None:
    segment.unlink()


@pytest.mark.parametrize("harm", [cut_tail, flip_middle, remove])
async def test_the_second_copy_is_repaired_forward(path: Path, copy: Path, harm: Callable[[Path], None]) -> None:
    """Torn, damaged, or on a new medium: the next start writes again what is missing."""
    await filled(path, 100, copy)
    (segment,) = copy.iterdir()
    whole = segment.read_bytes()
    harm(segment)
    await reopen(path, copy).close()
    again = read_segment(segment)
    assert again.whole
    assert again.records == read_segment_bytes(whole, segment)
    assert (again.note_size, checkpoint.parse(again.note).size) == (100, 100)


def read_segment_bytes(data: bytes, near: Path) -> list[bytes]:
    other = near.with_suffix(".whole")
    other.write_bytes(data)
    try:
        return read_segment(other).records
    finally:
        other.unlink()


async def an_older_image(path: Path, copy: Path, backup: Path) -> list[bytes]:
    """A journal of 10 records beside a second copy of 15; all of them."""
    await filled(path, 10, copy)
    shutil.copy(path, backup)
    journal = reopen(path, copy)
    await fill(journal, 5)
    records = journal.read(0, 100, 10**6)
    await journal.close()
    shutil.copy(backup, path)
    return records


async def test_what_the_disk_has_lost_is_put_back(path: Path, copy: Path, tmp_path: Path) -> None:
    """A medium that lied, or a backup put back: the log goes on from where it really was, under the same head."""
    records = await an_older_image(path, copy, tmp_path / "backup")
    (segment,) = copy.iterdir()
    note = read_segment(segment).note
    journal = reopen(path, copy)
    assert journal.put_back == 5
    assert journal.read(0, 100, 10**6) == records
    assert journal.checkpoint() == note
    await fill(journal, 1)
    await journal.close()
    journal = reopen(path, copy)
    assert (journal.size, journal.put_back) == (16, 0)
    await journal.close()


async def test_only_what_was_signed_is_put_back(path: Path, copy: Path, tmp_path: Path) -> None:
    """The copy's last write was torn: its head is missing, so nobody was told of those records."""
    await an_older_image(path, copy, tmp_path / "backup")
    (segment,) = copy.iterdir()
    segment.write_bytes(segment.read_bytes()[:-20])
    journal = reopen(path, copy)
    assert (journal.size, journal.put_back) == (10, 0)
    await fill(journal, 2)
    await journal.close()
    assert read_segment(segment).records == reopen_records(path)


def reopen_records(path: Path) -> list[bytes]:
    connection = sqlite3.connect(path)
    records = [data for (data,) in connection.execute("SELECT bytes FROM records ORDER BY seq")]
    connection.close()
    return records


async def test_a_longer_copy_of_another_log_is_not_put_back(path: Path, copy: Path, tmp_path: Path) -> None:
    """It goes on from other records than these, although the same key signed it: a cloned box. Nothing is changed."""
    await an_older_image(path, copy, tmp_path / "backup")
    path.unlink()
    journal = create(path)
    await journal.commit(Step(journal.seal([act(f"another {index}") for index in range(12)], STAMP)))
    await journal.close()
    with pytest.raises(JournalDamaged, match="goes on to 15 records, and not from these"):
        reopen(path, copy)
    assert len(reopen_records(path)) == 12


async def test_another_log_in_the_second_copy_is_refused(path: Path, copy: Path) -> None:
    """Two boxes with one epoch: what they wrote differs."""
    await filled(path, 10, copy)
    path.rename(path.with_suffix(".old"))
    journal = create(path)
    await journal.commit(Step(journal.seal([act(f"another {index}") for index in range(12)], STAMP)))
    await journal.close()
    with pytest.raises(JournalDamaged, match="record 0: the second copy"):
        reopen(path, copy)


async def test_a_medium_that_cannot_be_used_does_not_stop_the_site(path: Path, tmp_path: Path) -> None:
    """A stick that is not there: the site goes on without it and says so."""
    (tmp_path / "stick").write_text("not a directory")
    journal = create(path, tmp_path / "stick")
    await fill(journal, 3)
    assert journal.second_copy_failed is not None
    assert journal.size == 3
    await journal.close()


async def test_the_second_copy_goes_on_in_a_new_file(path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files stay short, so that a start reads little; together they hold every record once."""
    monkeypatch.setattr("edge.journal.second_copy.SecondCopy.__init__.__defaults__", (2_000,))
    journal = create(path, copy)
    for _ in range(4):
        await fill(journal, 10)
    await journal.close()
    segments = [read_segment(file) for file in sorted(copy.iterdir())]
    assert [segment.first_seq for segment in segments] == [0, 10, 20, 30]
    assert all(segment.whole and segment.origin == ORIGIN for segment in segments)
    copies = Copies(copy, ORIGIN)
    assert [copies.record(seq) for seq in range(41)] == [data for one in segments for data in one.records] + [None]
    assert copies.size() == 40
