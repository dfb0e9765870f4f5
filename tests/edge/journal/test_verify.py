"""Whatever is changed in a journal afterwards, `verify` finds it and names the place; and it finds nothing else."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from edge.journal.errors import JournalDamaged, JournalError
from edge.journal.verify import verify
from edge.journal.verify_report import Trust
from edge.till.progress import decode_progress, encode_progress
from edge.till.state import Lease, decode_state, encode_state
from protocols.proof.ed25519 import public_of
from protocols.trade.codec import decode
from protocols.trade.grants import join, split
from protocols.trade.records import GrantAccepted, Record, body_of
from tests.edge.desk_rig import LOG_KEY
from tests.edge.journal.forger import Forger
from tests.edge.journal.verify_rig import TRUST, a_day

STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day's journal, made once; tests lie in copies of it."""
    return asyncio.run(a_day(tmp_path_factory.mktemp("sold")))


@pytest.fixture
def journal(sold: Path, tmp_path: Path) -> Path:
    for path in sold.parent.iterdir():
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / sold.name


def test_an_honest_day_is_sound(journal: Path) -> None:
    """Every check passes, and the report says what is proven and what was looked at."""
    report = verify(journal, TRUST)
    assert report.findings == []
    assert report.not_checked == []
    assert len(report.proven) == 7
    assert (report.tally.records, report.tally.bills, report.tally.day_closes) == (report.size, 3, 1)
    assert 0 < report.cosigned < report.size


def test_without_keys_it_says_what_was_not_checked(journal: Path) -> None:
    """Nobody is trusted unseen: what needs a key from elsewhere is told as not checked, which is no finding."""
    report = verify(journal, Trust())
    assert report.findings == []
    assert len(report.not_checked) == 3


class Lie(NamedTuple):
    """tells: the code of a finding, and of which record it must be (None: of the log); others may come with it."""

    name: str
    do: Callable[[Forger], object]
    code: str
    of: Callable[[Forger], int | None] = lambda forger: None


def closing(forger: Forger) -> int:
    return forger.seq_of("session-closed", 1)


def dearer(forger: Forger) -> Forger:
    """A bill of one fen more, its capture too."""
    seq = closing(forger)
    body = body_of(decode(forger.records[seq], Record))
    forger.edit_body(seq, amount_fen=body.amount_fen + 1)  # type: ignore[union-attr]  # a closing record
    return forger.edit(seq, lambda record: replace(record, moves=[_more(record.moves[0])]))


def _more(move: object) -> object:
    return replace(move, amount=move.amount + 1, counter=move.counter + 1)  # type: ignore[type-var, attr-defined]  # a Move


def stranger_throughout(forger: Forger) -> object:
    """Another log key everywhere: in the table, in leaf 0, on the head."""
    forger.edit_body(0, log_key=public_of(STRANGER)).sign_anew(STRANGER).forget_others()
    return forger.run("UPDATE log SET log_key = ?", public_of(STRANGER))


def swapped(forger: Forger) -> Forger:
    """The second session's opening and closing change places."""
    a, b = forger.seq_of("session-opened", 1), closing(forger)
    forger.records[a], forger.records[b] = forger.records[b], forger.records[a]
    return forger.sign_anew(LOG_KEY).forget_others()


def without(forger: Forger, seq: int) -> Forger:
    """A record taken out, those after it moved up, all signed anew."""
    del forger.records[seq]
    return forger.sign_anew(LOG_KEY).forget_others()


def begins_lower(forger: Forger) -> Forger:
    """The third session begins below where the second one ended; its energy fits, so the customer pays for more."""
    opened, closed = forger.seq_of("session-opened", 2), forger.seq_of("session-closed", 2)
    for seq, name in ((opened, "begin"), (closed, "end")):
        body = body_of(decode(forger.records[seq], Record))
        register = getattr(body, name)
        forger.edit_body(seq, **{name: replace(register, energy_wh=register.energy_wh - 500)})
    return forger.sign_anew(LOG_KEY).forget_others()


def earlier(forger: Forger, **stamp: int) -> Forger:
    """The day close is said to have been made before the records before it."""
    seq = forger.seq_of("day-closed")
    forger.edit(seq, lambda record: replace(record, stamp=replace(record.stamp, **stamp)))
    return forger.sign_anew(LOG_KEY).forget_others()


def own_grant(forger: Forger) -> Forger:
    """The box raises a grant by itself."""
    seq = forger.seq_of("grant-accepted")
    body = body_of(decode(forger.records[seq], Record))
    assert isinstance(body, GrantAccepted)
    grant, _, signature = split(body.grant)
    forger.edit_body(seq, grant=join(replace(grant, granted=grant.granted + 1), signature))
    return forger.sign_anew(LOG_KEY).forget_others()


def richer(forger: Forger) -> Forger:
    """The saved fold has a lease that no record granted."""
    size, payload = forger.snapshot()
    state = decode_state(payload)
    leases = {**state.leases, "eve CNY": Lease("eve", "CNY", granted=5_000)}
    return forger.rewrite_snapshot(size, encode_state(replace(state, leases=leases)))


def row_of(forger: Forger, **changes: object) -> Forger:
    seq = forger.seq_of("session-opened", 3)
    return forger.row(seq, encode_progress(replace(decode_progress(forger.progress(seq)), **changes)))


def rolled_back(forger: Forger) -> Forger:
    """Everything since the first sale is cut off, and the head of then is put back."""
    forger.records = forger.records[: closing(forger) - 2]
    return forger.sign_anew(LOG_KEY)


LIES = [
    Lie("a record edited, nothing else", lambda f: dearer(f).write(), "record-edited", lambda f: 32),
    Lie("a record edited, nothing else: its bill", lambda f: dearer(f).write(), "bill", closing),
    Lie("and hashes recomputed", lambda f: dearer(f).hash_anew(), "head"),
    Lie("and hashes recomputed: its bill", lambda f: dearer(f).hash_anew(), "bill", closing),
    Lie("and signed with another key", lambda f: dearer(f).sign_anew(STRANGER), "signature"),
    Lie("another key throughout", stranger_throughout, "certificate", lambda f: 0),
    Lie("and signed with the log's own key", lambda f: dearer(f).sign_anew(LOG_KEY), "root"),
    Lie("and the acknowledgement deleted", lambda f: dearer(f).sign_anew(LOG_KEY).forget_others(), "bill", closing),
    Lie("two records swapped", swapped, "session", lambda f: f.seq_of("session-closed", 1)),
    Lie("a record removed", lambda f: f.run("DELETE FROM records WHERE seq = 40"), "record-missing", lambda f: 40),
    Lie("a sale taken out", lambda f: without(f, closing(f)), "counter", lambda f: closing(f) - 0),
    Lie("an opening taken out", lambda f: without(f, f.seq_of("session-opened")), "session", lambda f: 35),
    Lie("a meter that goes back", begins_lower, "meter", lambda f: f.seq_of("session-opened", 2)),
    Lie(
        "a wrong sum in the day close",
        lambda f: f.edit_body(f.seq_of("day-closed"), amount_fen=1).sign_anew(LOG_KEY).forget_others(),
        "day",
        lambda f: f.seq_of("day-closed"),
    ),
    Lie("a clock that goes back", lambda f: earlier(f, mono_ms=1), "clock", lambda f: f.seq_of("day-closed")),
    Lie("a time that is not proven", lambda f: earlier(f, lb_ms=-1), "clock", lambda f: f.seq_of("day-closed")),
    Lie("a grant of its own", own_grant, "signature", lambda f: f.seq_of("grant-accepted")),
    Lie("bytes that are no record", lambda f: f.run("UPDATE records SET bytes = x'c0' WHERE seq = 7"), "not-canonical",
        lambda f: 7),
    Lie("a record behind the head", lambda f: f.run("INSERT INTO records VALUES (?, ?)", len(f.records), b"x"), "head",
        lambda f: len(f.records)),
    Lie("an older image of the log", rolled_back, "cosigned", lambda f: len(f.records)),
    Lie("a snapshot edited", richer, "snapshot"),
    Lie("a snapshot damaged", lambda f: f.run("UPDATE snapshots SET payload = x'00'"), "snapshot"),
    Lie("another payer in a running session's row", lambda f: row_of(f, account="eve"), "progress",
        lambda f: f.seq_of("session-opened", 3)),
    Lie("less energy in a running session's row", lambda f: row_of(f, slices=()), "progress",
        lambda f: f.seq_of("session-opened", 3)),
    Lie("a running session's row deleted", lambda f: f.run("DELETE FROM progress"), "progress",
        lambda f: f.seq_of("session-opened", 3)),
    Lie("a row of no session", lambda f: f.run("INSERT INTO progress VALUES (3, x'00')"), "progress", lambda f: 3),
    Lie("the tariff deleted", lambda f: f.run("DELETE FROM documents"), "document", closing),
    Lie("the tariff edited", lambda f: f.run("UPDATE documents SET bytes = x'00'"), "document"),
    Lie("a node edited", lambda f: f.run("UPDATE nodes SET hash = zeroblob(32)"), "record-edited", lambda f: 0),
    Lie("a node deleted", lambda f: f.run("DELETE FROM nodes"), "node", lambda f: 0),
    Lie("an acknowledgement of another size", lambda f: f.run("UPDATE cosigned SET size = 1"), "cosigned"),
]  # fmt: skip


@pytest.mark.parametrize("lie", LIES, ids=[lie.name for lie in LIES])
def test_every_lie_is_found_and_named(journal: Path, lie: Lie) -> None:
    """Each class of tampering, at its place, with what to do next."""
    forger = Forger(journal)
    lie.do(forger)
    forger.run("PRAGMA wal_checkpoint(TRUNCATE)")
    of = lie.of(forger)
    forger.done()
    report = verify(journal, TRUST)
    found = [(finding.code, finding.seq) for finding in report.findings]
    assert (lie.code, of) in found, report.findings
    assert all(finding.remedy for finding in report.findings)


def test_all_findings_not_the_first(journal: Path) -> None:
    """Three lies, three places, one run; a wrong number is told once and not of every record after it."""
    forger = Forger(journal)
    dearer(forger)
    forger.edit_body(forger.seq_of("day-closed"), energy_wh=7)
    begins_lower(forger)
    places = [
        (closing(forger), "bill"),
        (forger.seq_of("day-closed"), "day"),
        (forger.seq_of("session-opened", 2), "meter"),
    ]
    forger.done()
    report = verify(journal, TRUST)
    assert {(finding.seq, finding.code) for finding in report.findings} >= set(places)
    counters = [finding for finding in report.findings if finding.code == "counter"]
    assert len(counters) == 1


def test_a_damaged_file_is_no_finding(journal: Path) -> None:
    """What cannot be read to its end raises: nobody can say what is in it."""
    data = bytearray(journal.read_bytes())
    data[4_096:40_960] = bytes(36_864)
    journal.write_bytes(data)
    with pytest.raises(JournalDamaged):
        verify(journal, TRUST)


def test_an_empty_file_holds_no_log(tmp_path: Path) -> None:
    """There is nothing to verify, and the error says so."""
    sqlite3.connect(tmp_path / "journal.db").close()
    with pytest.raises(JournalError, match="no log"):
        verify(tmp_path / "journal.db", TRUST)
