"""Do the rows beside the log - snapshots, progress, documents - say what the log says?"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from edge.journal import reading, sums
from edge.journal.errors import JournalDamaged
from edge.journal.verify_report import Report
from edge.till.fill.progress import decode_fill
from edge.till.port.door import decode_door
from edge.till.port.progress import decode_port
from edge.till.progress import Progress, decode_progress
from edge.till.state import OpenFilling, OpenSession, TillState, decode_state
from protocols.proof import keys
from protocols.proof.errors import Unproven
from protocols.proof.note import VerifierKey
from protocols.proof.tree import Frontier
from protocols.trade.codec import decode
from protocols.trade.documents import BYTES_MAX, DOMAIN, Document, signed_part
from protocols.trade.finding import Findings


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A fold as it was saved. root: of the tree there, by its frontier."""

    size: int
    root: bytes
    payload: bytes


def snapshots(connection: sqlite3.Connection, findings: Findings) -> list[SnapshotRow]:
    """Those whose frontier can be read, and that do not lie ahead of the log."""
    found: list[SnapshotRow] = []
    head = reading.read_head(connection)
    for size, frontier, stored in connection.execute("SELECT size, frontier, payload FROM snapshots ORDER BY size"):
        try:
            root, payload = Frontier.from_bytes(frontier), sums.without_sum(stored, sums.snapshot(size))
        except (Unproven, JournalDamaged) as error:
            findings.add("snapshot", None, f"the snapshot of size {size}", "as it was written", error.what)
            continue
        if root.size != size or size > head.size:
            findings.add("snapshot", None, "size of a snapshot", f"{size}, at most {head.size}", str(root.size))
            continue
        found.append(SnapshotRow(size, root.root(), payload))
    return found


def compare_snapshot(row: SnapshotRow, state: TillState, findings: Findings) -> None:
    """A saved fold against the state that the records give at its size."""
    what = f"the snapshot of size {row.size}"
    try:
        saved = decode_state(row.payload)
    except (msgspec.DecodeError, ValueError) as error:
        findings.add("snapshot", None, what, "a state that this software can read", str(error))
        return
    for name in TillState.__struct_fields__:
        expected, got = getattr(state, name), getattr(saved, name)
        if expected != got:
            findings.add("snapshot", None, f"{what}: {name}", *_difference(expected, got))


def progress(connection: sqlite3.Connection, state: TillState, findings: Findings) -> None:
    """Each open session has its row, which goes on from the opening record; and nothing else has one.

    A filling has one as soon as its pump has been seen to do something, and so have ports and lockers.
    """
    rows = dict(connection.execute("SELECT session, bytes FROM progress ORDER BY session"))
    for seq, filling in state.forecourt.fillings.items():
        if seq in rows:
            _filling_row(filling, rows.pop(seq), findings)
    for seq in state.ports.sessions.keys() | state.ports.stays.keys():
        if seq in rows:
            _port_row(seq, seq in state.ports.stays, rows.pop(seq), findings)
    for seq in state.sessions:
        if seq not in rows:
            findings.add("progress", seq, "row of a running session", "one", "none")
    for seq, data in rows.items():
        running = state.sessions.get(seq)
        if running is None:
            findings.add("progress", seq, "row of a running session", "none, since it is not open", "one")
            continue
        try:
            row = decode_progress(sums.without_sum(data, sums.row(seq)))
        except (msgspec.DecodeError, ValueError, JournalDamaged) as error:
            findings.add("progress", seq, "row of a running session", "one that can be read", str(error))
            continue
        for what, expected, got in _row_faults(running, row):
            findings.add("progress", seq, f"row of a running session: {what}", str(expected), str(got))


def _port_row(seq: int, is_stay: bool, data: bytes, findings: Findings) -> None:
    try:
        plain = sums.without_sum(data, sums.row(seq))
        got = decode_door(plain).stay if is_stay else decode_port(plain).session
    except (msgspec.DecodeError, ValueError, JournalDamaged) as error:
        findings.add("progress", seq, "row of a port or a locker", "one that can be read", str(error))
        return
    if got != seq:
        findings.add("progress", seq, "row of a port or a locker: whose", str(seq), str(got))


def _filling_row(filling: OpenFilling, data: bytes, findings: Findings) -> None:
    try:
        row = decode_fill(sums.without_sum(data, sums.row(filling.seq)))
    except (msgspec.DecodeError, ValueError, JournalDamaged) as error:
        findings.add("progress", filling.seq, "row of a filling", "one that can be read", str(error))
        return
    expected, got = (filling.seq, filling.account), (row.session, row.account)
    if expected != got:
        findings.add("progress", filling.seq, "row of a filling: session and payer", str(expected), str(got))


def _row_faults(session: OpenSession, row: Progress) -> list[tuple[str, object, object]]:
    begin = session.opened.begin
    gained_wh = row.register.energy_wh - begin.energy_wh
    compared = [
        ("session", session.seq, row.session),
        ("payer", session.account, row.account),
        ("meter", begin.meter, row.register.meter),
        ("energy in Wh, from its registers", gained_wh, row.energy_wh),
    ]
    return [one for one in compared if one[1] != one[2]]


def documents(connection: sqlite3.Connection, granters: Sequence[VerifierKey], report: Report) -> None:
    """Each document is what its row and, where headquarters' key is known, its signature say."""
    find, proven, total = report.findings.add, 0, 0
    for kind, version, hashed, stored in connection.execute("SELECT kind, version, hash, bytes FROM documents"):
        total += 1
        what = f"{kind} {version}"
        try:
            data = reading.document_of(kind, version, hashed, stored)
        except JournalDamaged as error:
            find("document", None, what, hashed.hex(), error.what)
            continue
        document = decode(data, Document, bytes_max=BYTES_MAX)
        if granters:
            signed = _is_signed(document, granters)
            proven += signed
            if not signed:
                find("signature", None, what, "headquarters' signature", "one by nobody known here")
    if granters and total:
        report.proven.append(f"{proven} of {total} documents are signed by headquarters")


def _is_signed(document: Document, granters: Sequence[VerifierKey]) -> bool:
    signed = signed_part(document.kind, document.site, document.version, document.payload)
    for key in granters:
        try:
            keys.verify(key.public, DOMAIN, signed, document.signature)
        except Unproven:
            continue
        return True
    return False


def _difference(expected: object, got: object) -> tuple[str, str]:
    """Of two tables only the entries that differ."""
    if isinstance(expected, dict) and isinstance(got, dict):
        names = [key for key in expected.keys() | got.keys() if expected.get(key) != got.get(key)]
        expected = {key: expected.get(key) for key in names}
        got = {key: got.get(key) for key in names}
    return _short(expected), _short(got)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 300 else f"{text[:297]}..."
