"""What does a nightly run look at? Each log up to its cosigned size, and the books as they stand in one view of the
database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

import sqlalchemy as sa

from cloud import schema
from cloud.keys import HQ_LOG_SITE
from cloud.night.day import Site
from cloud.night.reconcile.bills import Tariffs
from cloud.night.reconcile.books import Head
from cloud.night.reconcile.captures import TendersByHash
from cloud.night.reconcile.fillings import PriceLists
from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogKey, Stored
from cloud.night.reconcile.ports import PortPricesByHash
from cloud.night.reconcile.swaps import TermsByHash
from cloud.night.report_model import PinnedIncidents, PinnedLog
from protocols.proof import checkpoint, keys
from protocols.proof.errors import Unproven
from protocols.proof.tree import EMPTY_ROOT
from protocols.trade import fuel_prices, tender
from protocols.trade import port_prices as prices_of_ports
from protocols.trade import swap_terms as terms_of_swaps
from protocols.trade.books import Balance, Books, Lease, LeaseCounters, Transfer
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.documents import TARIFF, Document, pin
from protocols.trade.fuel_prices import PriceList
from protocols.trade.port_prices import PortPrices
from protocols.trade.swap_terms import SwapTerms
from protocols.trade.tariff import Tariff
from protocols.trade.tender import Tenders

T = TypeVar("T")

_ROWS_AT_ONCE = 2_000


class LogRow(NamedTuple):
    """A log as headquarters keeps it. id: of its row. seen_ms: last valid request of its box."""

    id: int
    key: LogKey
    head: Head
    pinned: PinnedLog
    seen_ms: int | None


class Ledger(NamedTuple):
    """The accounts by their row, and their balances as stored."""

    codes: Mapping[int, tuple[str, str]]
    balances: Books


def sites(connection: sa.Connection) -> list[Site]:
    """Every site that is admitted or has a log; headquarters, as site "", first."""
    at, epochs = schema.sites, schema.epochs
    has_log = sa.exists().where(epochs.c.site == at.c.id)
    query = sa.select(at).where(sa.or_(at.c.status == "admitted", has_log)).order_by(at.c.id)
    return [
        Site(row.id, row.title, row.zone, row.day_starts_h, row.status == "admitted")
        for row in connection.execute(query)
    ]


def logs(connection: sa.Connection, keep: Mapping[LogKey, PinnedLog] | None) -> list[LogRow]:
    """All logs in order. keep: pins of an earlier run, to which each log is cut; None pins what is cosigned now."""
    table = schema.epochs
    found: list[LogRow] = []
    for row in connection.execute(sa.select(table).order_by(table.c.site, table.c.epoch)):
        key = LogKey(row.site, row.epoch)
        if keep is not None:
            if key not in keep:
                continue  # enrolled since
            pinned = keep[key]
            head = Head(pinned.size, bytes.fromhex(pinned.root))
        else:
            head = _head(row)
            pinned = PinnedLog(
                site=row.site,
                epoch=row.epoch,
                state=row.state,
                size=head.size,
                root=head.root.hex(),
                cosigned_ms=row.cosigned_ms,
            )
        found.append(LogRow(row.id, key, head, pinned, row.seen_ms))
    return found


def _head(row: sa.Row[tuple[object, ...]]) -> Head:
    """What was cosigned, with the site's own signature checked again."""
    if not row.cosigned:
        return Head(0, EMPTY_ROOT)
    try:
        head = checkpoint.parse(row.cosigned)
    except Unproven as error:
        return Head(0, EMPTY_ROOT, str(error))
    try:
        checkpoint.verify_checkpoint(row.cosigned, keys.log_verifier(row.site or HQ_LOG_SITE, row.epoch, row.log_key))
    except Unproven as error:
        return Head(head.size, head.root, str(error))
    return Head(head.size, head.root)


def records(connection: sa.Connection, row: LogRow) -> Iterator[Stored]:
    """The stored records of a log up to its pinned size, in order."""
    table = schema.records
    columns = (table.c.seq, table.c.bytes, table.c.received_ms, table.c.business_date)
    query = sa.select(*columns).where(table.c.log == row.id, table.c.seq < row.head.size).order_by(table.c.seq)
    for seq, data, received_ms, business_date in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
        yield Stored(seq, data, received_ms, business_date.isoformat())


def posted(connection: sa.Connection, row: LogRow, codes: Mapping[int, tuple[str, str]]) -> dict[int, list[Transfer]]:
    """The transfers posted in the name of each record up to the pinned size."""
    table = schema.transfers
    columns = (table.c.seq, table.c.debit, table.c.credit, table.c.asset, table.c.amount)
    query = sa.select(*columns).where(table.c.log == row.id, table.c.seq < row.head.size)
    found: dict[int, list[Transfer]] = {}
    for seq, debit, credit, asset, amount in connection.execute(query.order_by(table.c.seq, table.c.position)):
        found.setdefault(seq, []).append(Transfer(codes[debit][0], codes[credit][0], asset, amount))
    return found


def reasons(connection: sa.Connection, row: LogRow) -> dict[int, str]:
    """Why moves of a record went into quarantine."""
    table = schema.quarantine
    query = sa.select(table.c.seq, table.c.why).where(table.c.log == row.id, table.c.seq.is_not(None))
    found: dict[int, list[str]] = {}
    for seq, why in connection.execute(query.order_by(table.c.seq, table.c.position)):
        found.setdefault(seq, []).append(why)
    return {seq: "; ".join(whys) for seq, whys in found.items()}


def ledger(connection: sa.Connection) -> Ledger:
    table = schema.ledger
    rows = list(connection.execute(sa.select(table)))
    codes = {row.id: (row.code, row.asset) for row in rows}
    return Ledger(codes, {(row.code, row.asset): Balance(row.debits, row.credits) for row in rows})


def summed(connection: sa.Connection, codes: Mapping[int, tuple[str, str]]) -> Books:
    """What all transfers posted so far add up to, on each account."""
    table = schema.transfers

    def sums(side: sa.Column[int]) -> dict[tuple[str, str], int]:
        query = sa.select(side, table.c.asset, sa.func.sum(table.c.amount)).group_by(side, table.c.asset)
        # PostgreSQL sums whole numbers as numeric, which comes as a Decimal.
        return {(codes[row][0], asset): int(amount) for row, asset, amount in connection.execute(query)}

    debits, credited = sums(table.c.debit), sums(table.c.credit)
    keys_ = debits.keys() | credited.keys()
    return {key: Balance(debits.get(key, 0), credited.get(key, 0)) for key in keys_}


def leases(connection: sa.Connection) -> dict[Lease, LeaseCounters]:
    table, epochs = schema.leases, schema.epochs
    query = sa.select(table, epochs.c.site, epochs.c.epoch).join(epochs, table.c.log == epochs.c.id)
    return {
        Lease(row.account, row.asset, row.site, row.epoch): LeaseCounters(
            row.granted, row.used, row.returned, row.freed
        )
        for row in connection.execute(query)
    }


def tariffs(connection: sa.Connection, site: str) -> Tariffs:
    """Every tariff ever signed for the site that is still what was signed, by the hash of its bytes."""
    return _documents(connection, site, TARIFF, Tariff)


def tenders(connection: sa.Connection, site: str) -> TendersByHash:
    """The same of what assets may pay there."""
    return _documents(connection, site, tender.KIND, Tenders)


def price_lists(connection: sa.Connection, site: str) -> PriceLists:
    """The same of what fuel costs there."""
    return _documents(connection, site, fuel_prices.KIND, PriceList)


def swap_terms(connection: sa.Connection, site: str) -> TermsByHash:
    """The same of what swaps and rented packs cost there."""
    return _documents(connection, site, terms_of_swaps.KIND, SwapTerms)


def port_prices(connection: sa.Connection, site: str) -> PortPricesByHash:
    """The same of what charging ports and lockers cost there."""
    return _documents(connection, site, prices_of_ports.KIND, PortPrices)


def packs(connection: sa.Connection) -> dict[str, tuple[object, ...]]:
    """Where headquarters' table has each pack: (at, site, cabinet, slot, account) by code."""
    table = schema.packs
    columns = (table.c.code, table.c.at, table.c.site, table.c.cabinet, table.c.slot, table.c.account)
    return {code: tuple(place) for code, *place in connection.execute(sa.select(*columns))}


def _documents(connection: sa.Connection, site: str, kind: str, into: type[T]) -> dict[bytes, T]:
    table = schema.documents
    query = sa.select(table.c.document).where(table.c.site == site, table.c.kind == kind)
    found: dict[bytes, T] = {}
    for (data,) in connection.execute(query):
        try:
            document = decode(data, Document)
            found[pin(document).hash] = decode(document.payload, into)
        except NotCanonical:
            continue  # a session that pins it finds it missing
    return found


def incidents_now(connection: sa.Connection) -> PinnedIncidents:
    """The newest of each."""
    return PinnedIncidents(
        forks=connection.execute(sa.select(sa.func.max(schema.forks.c.id))).scalar() or 0,
        batches=connection.execute(sa.select(sa.func.max(schema.quarantine.c.id))).scalar() or 0,
    )


def incidents(connection: sa.Connection, upto: PinnedIncidents) -> list[Finding]:
    """What ingest could not take in: forks of a log, and batches that nobody could read."""
    epochs, forks, batches = schema.epochs, schema.forks, schema.quarantine
    at_fork = sa.select(forks, epochs.c.site, epochs.c.epoch).join(epochs, forks.c.log == epochs.c.id)
    at_batch = sa.select(batches, epochs.c.site, epochs.c.epoch).join(epochs, batches.c.log == epochs.c.id)
    at_batch = at_batch.where(batches.c.seq.is_(None), batches.c.id <= upto.batches)
    forked = [
        _incident("log-forked", row, f"forks row {row.id}", f"at record {row.seq} the site has signed another branch")
        for row in connection.execute(at_fork.where(forks.c.id <= upto.forks).order_by(forks.c.id))
    ]
    refused = [
        _incident("batch-refused", row, f"quarantine row {row.id}", f"{row.code}: {row.why}")
        for row in connection.execute(at_batch.order_by(batches.c.id))
    ]
    return forked + refused


def _incident(code: str, row: sa.Row[tuple[object, ...]], source: str, detail: str) -> Finding:
    return Finding(
        code=code,
        leg=Leg.BOOKS,
        site=row.site,
        subject=str(LogKey(row.site, row.epoch)),
        source=source,
        detail=detail,
        since_ms=row.received_ms,
    )
