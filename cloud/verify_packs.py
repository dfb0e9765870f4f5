"""Do headquarters' tables of packs, rentals and deposits say what the records of all logs say?

Whoever edits one of them moves a pack, or has a deposit paid back twice. So facts are worked out from the records anew,
packs and rentals folded from those, and what was done of each deposit is added up and held against the moves of
headquarters' own log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from cloud import packs, schema
from cloud.posting import Entry, Log
from protocols.trade.books import HQ
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.custody import Custody, fold
from protocols.trade.finding import Findings
from protocols.trade.pack_facts import Fact
from protocols.trade.records import Effect, Record

AT_ONCE = 2_000


def verify_packs(connection: sa.Connection) -> Findings:
    """Everything in these tables that does not follow from the records. In one view of the database."""
    findings = Findings()
    told = _facts(connection)
    _compare_facts(connection, told, findings)
    folded = {code: fold(code, facts) for code, facts in _by_code(told).items()}
    _compare_packs(connection, folded, findings)
    _compare_rentals(connection, folded, findings)
    _compare_deposits(connection, findings)
    return findings


Place = tuple[int, int, int]
"""(log, seq, position)"""


def _facts(connection: sa.Connection) -> dict[Place, Fact]:
    epochs, table = schema.epochs, schema.records
    found: dict[Place, Fact] = {}
    for head in connection.execute(sa.select(epochs.c.id, epochs.c.site, epochs.c.epoch)).all():
        log = Log(head.id, head.site, head.epoch)
        query = sa.select(table.c.seq, table.c.bytes).where(table.c.log == log.id, table.c.kind.in_(packs.KINDS))
        rows = [(row.seq, row.bytes) for row in connection.execute(query.order_by(table.c.seq))]
        for entries in _chunks(rows):
            for fact in packs.facts_in(connection, log, entries):
                found[log.id, fact.seq, fact.position] = fact
    return found


def _chunks(rows: Sequence[tuple[int, bytes]]) -> Iterator[list[Entry]]:
    for first in range(0, len(rows), AT_ONCE):
        chunk: list[Entry] = []
        for seq, data in rows[first : first + AT_ONCE]:
            try:
                chunk.append(Entry(seq, decode(data, Record), ""))
            except NotCanonical:
                continue  # the log's own verification names it
        yield chunk


def _by_code(told: dict[Place, Fact]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = {}
    for fact in told.values():
        found.setdefault(fact.code, []).append(fact)
    return found


def _compare_facts(connection: sa.Connection, told: dict[Place, Fact], findings: Findings) -> None:
    table = schema.pack_facts
    stored: dict[Place, tuple[str, bytes]] = {}
    for log, seq, position, code, data in connection.execute(sa.select(table)):
        stored[log, seq, position] = (code, bytes(data))
    meant = {place: packs.row_of(fact) for place, fact in told.items()}
    for place in sorted(meant.keys() | stored.keys()):
        if meant.get(place) != stored.get(place):
            code = (meant.get(place) or stored[place])[0]
            findings.add("books", place[1], f"fact of pack {code}", _there(place in meant), _there(place in stored))


def _there(is_there: bool) -> str:
    return "as the record says" if is_there else "none"


def _compare_packs(connection: sa.Connection, folded: dict[str, Custody], findings: Findings) -> None:
    stored = {row.code: tuple(row) for row in connection.execute(sa.select(schema.packs))}
    for code in sorted(folded.keys() | stored.keys()):
        meant = packs.pack_row(folded[code]) if code in folded else None
        if meant != stored.get(code):
            findings.add("books", None, f"pack {code}", str(meant or "none"), str(stored.get(code, "none")))


def _compare_rentals(connection: sa.Connection, folded: dict[str, Custody], findings: Findings) -> None:
    stored = {tuple(row)[:3]: tuple(row) for row in connection.execute(sa.select(schema.rentals))}
    meant = {
        tuple(key): packs.rental_row(key, rental)
        for custody in folded.values()
        for key, rental in packs.keyed(connection, custody)
    }
    for key in sorted(meant.keys() | stored.keys()):
        if meant.get(key) != stored.get(key):
            findings.add("books", key[1], "rental", str(meant.get(key, "none")), str(stored.get(key, "none")))


def _compare_deposits(connection: sa.Connection, findings: Findings) -> None:
    """What was kept and given back, by account and asset, against the counters of headquarters' log."""
    table, counters, epochs = schema.rental_deposits, schema.counters, schema.epochs
    noted: Counter[tuple[str, str, str]] = Counter()
    columns = (table.c.account, table.c.asset, table.c.kept, table.c.back)
    for account, asset, kept, back in connection.execute(sa.select(*columns)):
        noted[account, asset, "kept"] += kept
        noted[account, asset, "back"] += back
    own = sa.select(epochs.c.id).where(epochs.c.site == HQ)
    done: Counter[tuple[str, str, str]] = Counter()
    query = sa.select(counters.c.account, counters.c.asset, counters.c.effect, counters.c.total)
    for account, asset, effect, total in connection.execute(query.where(counters.c.log.in_(own))):
        for name, sign in _SIGNS.get(effect, ()):
            done[account, asset, name] += sign * total
    for key in sorted(noted.keys() | done.keys()):
        if noted[key] != done[key]:
            account, asset, name = key
            what = f"of the deposits of {account} in {asset}, {name}"
            findings.add("books", None, what, str(done[key]), str(noted[key]))


_SIGNS: dict[str, tuple[tuple[str, int], ...]] = {
    Effect.DEPOSIT_KEPT: (("kept", 1),),
    Effect.DEPOSIT_UNKEPT: (("kept", -1), ("back", 1)),
    Effect.DEPOSIT_BACK: (("back", 1),),
}
