"""What stands for the records that have been pruned, and is what was kept of them still theirs?"""

from __future__ import annotations

import sqlite3

from edge.journal import reading, signed_snapshot
from edge.journal.errors import JournalDamaged
from edge.journal.signed_snapshot import Fold
from edge.journal.step import Identity
from edge.journal.verify_report import Report, Trust
from edge.till.state import TillState
from protocols.proof import keys
from protocols.proof.errors import Unproven
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.audit_trail import Trail
from protocols.trade.finding import Findings

_LEVEL = reading.NODE_LEVEL_MIN
_WIDTH = 1 << _LEVEL


def base_of(connection: sqlite3.Connection, identity: Identity, trust: Trust, report: Report) -> Fold:
    """Where the replay begins: the fold of what was pruned, by its signed snapshot; the empty one without.

    One that cannot be believed is a finding, and the replay begins at record 0 all the same.
    """
    empty = Fold(Frontier(), TillState(), Trail())
    try:
        data = reading.read_base(connection)
        if data is None:
            return empty
        snapshot = signed_snapshot.read(data)
    except (Unproven, JournalDamaged) as error:
        report.findings.add(
            "signature", None, "the snapshot of what was pruned", "one that the log key signed", error.what
        )
        return empty
    told = (snapshot.site, snapshot.epoch, snapshot.log_key.hex())
    meant = (identity.site, identity.epoch, identity.log_key.hex())
    if told != meant:
        report.findings.add("signature", None, "whose snapshot stands for what was pruned", f"{meant}", f"{told}")
        return empty
    size = snapshot.fold.size
    report.proven.append(
        f"a snapshot stands for records 0 to {size - 1}, which are pruned: signed with the log key, certified by the "
        f"box's key {keys.fingerprint(snapshot.device_key)}"
    )
    return snapshot.fold


def kept_before(connection: sqlite3.Connection, size: int, frontier: Frontier | None, findings: Findings) -> None:
    """The pruned part of the tree, which later proofs need: its narrowest roots make all wider ones and the frontier.

    Of the records that were kept from before the base each whole subtree hashes to its root.
    """
    wider: dict[tuple[int, int], bytes] = {}
    made = Frontier()
    sql = "SELECT place, hash FROM nodes WHERE level = ? AND place < ? ORDER BY place"
    for place, hashed in connection.execute(sql, (_LEVEL, size >> _LEVEL)):
        if place != made.size:
            break
        wider.clear()
        made = made.append_many((hashed,), lambda level, at, root: wider.update({(level + _LEVEL, at): root}))
        for (level, at), root in wider.items():
            if reading.read_node(connection, level, at) != root:
                span = f"records {at << level} to {(at + 1 << level) - 1}"
                findings.add("node", at << level, f"root of {span}, kept for proofs", root.hex(), "another, or none")
    if frontier is not None and (made.size, made.peaks) != (size >> _LEVEL, frontier.peaks):
        findings.add("node", None, "roots of the pruned records, kept for proofs", "those of the snapshot", "others")
    _kept_records(connection, size, findings)


def _kept_records(connection: sqlite3.Connection, size: int, findings: Findings) -> None:
    leaves: list[bytes] = []
    for seq, data in connection.execute("SELECT seq, bytes FROM records WHERE seq < ? ORDER BY seq", (size,)):
        if seq % _WIDTH == 0:
            leaves.clear()
        leaves.append(leaf_hash(data))
        if seq % _WIDTH != _WIDTH - 1:
            continue
        first = seq - _WIDTH + 1
        if len(leaves) == _WIDTH:
            hashed = Frontier().append_many(leaves).root()
            kept = reading.read_node(connection, _LEVEL, first >> _LEVEL)
            if hashed != kept:
                got = hashed.hex()
                findings.add("record-edited", first, f"hash of records {first} to {seq}", f"{kept and kept.hex()}", got)
