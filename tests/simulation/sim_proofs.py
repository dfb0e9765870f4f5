"""Does everything that was said come with its proof? Verification from the first record, on both sides, and receipts.

It is production's own verification that is asked here, and it must find nothing: a finding in a world where all went
well is a mistake of one or the other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path
from random import Random

from sim_box import Box
from sim_hq import SimHeadquarters
from sim_wrong import Wrong, expect

from cloud import store, verify, verify_books
from edge.evidence.gather import receipt_of
from edge.journal import verify as journal_verify
from edge.journal.connection import connect_reader
from edge.journal.verify_report import Trust
from protocols.proof import measurement, receipt_file, statement
from protocols.proof.keys import fingerprint, spki
from protocols.proof.reader_keys import SiteKey
from protocols.trade.codec import Wire, decode
from protocols.trade.finding import Findings
from protocols.trade.records import Record, SessionClosed, body_of
from protocols.trade.records_fuel import FillingClosed
from protocols.trade.records_pack import SwapClosed
from protocols.trade.records_port import PortClosed

RECEIPTS = 2
"""Sessions of each box whose receipts are asked for."""
CLOSED = (SessionClosed, FillingClosed, SwapClosed, PortClosed)


def check_box(
    box: Box, hq: SimHeadquarters, log: list[bytes], random: Random, directory: Path, excused: Set[str]
) -> int:
    """Its journal verifies from record 0; receipts of some sessions prove them, and not with a bit turned. How many."""
    path = directory / "to-verify.db"
    for suffix, data in box.files().items():
        path.with_name(path.name + suffix).write_bytes(data)
    mine = SiteKey(fingerprint=fingerprint(spki(box.device.public_key())))
    trust = Trust((mine,), (hq.pinned.cosign,), (hq.pinned.grant,))
    _none(box.branch, journal_verify.verify(path, trust).findings, excused)
    bodies = [body_of(decode(data, Record)) for data in log]
    _check_measurements(box, bodies)
    closed = [body.session for body in bodies if isinstance(body, CLOSED)]
    chosen = random.sample(closed, min(RECEIPTS, len(closed)))
    connection = connect_reader(path)
    try:
        for session in chosen:
            _check_receipt(connection, session, box, mine, hq, random)
    finally:
        connection.close()
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    return len(chosen)


def check_headquarters(hq: SimHeadquarters, excused: Set[str]) -> None:
    """Every log that headquarters has verifies from record 0, its own too, and so does every account."""
    with store.reading(hq.engine) as connection:
        trusted = verify.signers(connection, hq.keys)
        for head in verify.logs(connection, None, None):
            findings = verify.verify_log(connection, head, trusted).findings
            _none(f"headquarters' {head.site}/{head.epoch}", findings, excused)
        _none("headquarters' accounts", verify_books.verify_accounts(connection), excused)


def _check_receipt(
    connection: sqlite3.Connection, session: int, box: Box, mine: SiteKey, hq: SimHeadquarters, random: Random
) -> None:
    where = f"{box.branch}/{session}"
    handed_out = receipt_of(connection, session).file.to_bytes()
    file = receipt_file.parse(handed_out, source=where)
    told = statement.state(file, [mine], [hq.pinned.cosign])
    if not told.proven:
        raise Wrong("receipt", f"{where}: {[line for line in told.lines if line.mark != 'proven']}")
    at = random.randrange(len(file.records))
    data = bytearray(file.records[at].data)
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    records = [replace(one, data=bytes(data)) if n == at else one for n, one in enumerate(file.records)]
    if statement.state(replace(file, records=tuple(records)), [mine], [hq.pinned.cosign]).proven:
        raise Wrong("receipt", f"{where}: proven with a bit turned in record {at}")


def _check_measurements(box: Box, bodies: Sequence[Wire | None]) -> None:
    """Each is signed by the box, one page after the other; that of a swap says which packs went in and out, and the
    bill. Where a pack changed hands there is one.
    """
    page = 0
    for body in bodies:
        if not isinstance(body, FillingClosed | SwapClosed | PortClosed):
            continue
        where = f"{box.branch}/{body.session}"
        handed = not isinstance(body, SwapClosed) or body.returned is not None or body.taken is not None
        if (body.meter_record is not None) != handed:
            raise Wrong("meter-record", f"{where}: {'there is none' if handed else 'one of nothing'}")
        if body.meter_record is None:
            continue
        page += 1
        record = measurement.verified(body.meter_record, box.device.public_key())
        expect("meter-record", f"{where}: page", f"T{page}", record.fields["PG"])
        if isinstance(body, SwapClosed):
            codes = ["" if pack is None else pack.code for pack in (body.returned, body.taken)]
            says = [record.fields.get("V_PACK_IN", ""), record.fields.get("V_PACK_OUT", "")]
            expect("meter-record", f"{where}: packs", codes, says)
            expect("meter-record", f"{where}: fen", body.amount_fen, record.fields["U_AMOUNT_FEN"])


def _none(what: str, findings: Findings, excused: Set[str]) -> None:
    """excused: codes of findings that this world deserves."""
    undeserved = [finding for finding in findings if finding.code not in excused]
    if undeserved:
        raise Wrong("verify", f"{what}: {undeserved[0]}")
