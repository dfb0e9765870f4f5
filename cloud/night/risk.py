"""What does the operator stand to lose on this date? Lost and superseded logs, caps, loans, pools and branches.

All of it follows from the pinned logs and the books: the marks in headquarters' log, its counters, the sites' sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from cloud import forks, schema
from cloud.loans import Held
from cloud.night.pinned import LogRow
from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogFacts, LogKey
from cloud.night.report_model import LeaseSum, OperatorRisk, RiskPool, SiteExposure
from protocols.trade.books import HQ, OPERATOR_RISK, Balance, Books, CounterKey
from protocols.trade.codec import decode
from protocols.trade.quantities import yuan
from protocols.trade.records import CNY, RISK, Effect, EpochMarked, Record, body_of

_STANDS: Mapping[str, int] = {Effect.LOANED: 1, Effect.CHARGED: -1, Effect.REPAID: -1}

Counters = Mapping[CounterKey, int]


def site_exposures(connection: sa.Connection, books: Books) -> list[SiteExposure]:
    """Customers' money at each site, beside the cap on it; sites with neither are left out."""
    out: dict[str, int] = {}
    for (code, asset), balance in books.items():
        if code.startswith("lease:") and asset == CNY and balance.owed:
            account, site, _ = code.removeprefix("lease:").rsplit(":", 2)
            out[site] = out.get(site, 0) + (balance.owed if account != RISK else 0)
    table = schema.sites
    query = sa.select(table.c.id, table.c.exposure_max).where(table.c.exposure_max > 0)
    caps = {row.id: row.exposure_max for row in connection.execute(query)}
    return [
        SiteExposure(site=site, outstanding_fen=out.get(site, 0), exposure_max_fen=caps.get(site))
        for site in sorted(out.keys() | caps.keys())
        if out.get(site) or site in caps
    ]


def operator_risk(books: Books, counters: Counters) -> OperatorRisk:
    """The operator's risk account, and what it is made of."""
    stands = {True: 0, False: 0}
    forked = adjusted = 0
    for key, total in counters.items():
        if key.asset != CNY:
            continue
        if key.effect == Effect.FORKED:
            forked += total
        elif key.effect == Effect.CHARGED and key.place.startswith("@"):
            adjusted += total
        elif key.effect in _STANDS:
            stands[key.account == RISK] += _STANDS[key.effect] * total
    return OperatorRisk(
        balance_fen=books.get((OPERATOR_RISK, CNY), Balance()).owed,
        lent_fen=stands[False],
        pooled_fen=stands[True],
        forked_fen=forked,
        adjusted_fen=adjusted,
    )


def risk_pools(logs: Iterable[LogFacts], counters: Counters, iso: str) -> list[RiskPool]:
    """The pools of one site's logs. iso: the business date whose draws are told by card."""
    found: list[RiskPool] = []
    for facts in logs:
        place = f"{facts.key.site}/{facts.key.epoch}"
        funded = counters.get(CounterKey(Effect.GRANTED, RISK, CNY, place), 0)
        if not funded:
            continue
        drawn = facts.counters.get(CounterKey(Effect.USED, RISK, CNY, ""), 0)
        back = facts.counters.get(CounterKey(Effect.RETURNED, RISK, CNY, ""), 0)
        back += sum(counters.get(CounterKey(it, RISK, CNY, place), 0) for it in (Effect.FREED, Effect.REPAID))
        cards: dict[str, int] = {}
        for session in facts.deliveries:
            if session.ended is not None and session.ended.date == iso:
                for move in session.moves:
                    if (move.effect, move.account, move.asset) == (Effect.USED, RISK, CNY) and move.amount:
                        card = session.opened.origin.credential.hex()
                        cards[card] = cards.get(card, 0) + move.amount
        found.append(
            RiskPool(
                site=facts.key.site,
                epoch=facts.key.epoch,
                funded_fen=funded,
                drawn_fen=drawn,
                left_fen=funded - drawn - back,
                today_fen=sum(cards.values()),
                cards=dict(sorted(cards.items())),
            )
        )
    return found


def lives(
    connection: sa.Connection, rows: Sequence[LogRow], hq_size: int, leases: Iterable[LeaseSum], counters: Counters
) -> Iterator[Finding]:
    """Logs that are lost, and those that another has followed and that have not closed: what they hold, ageing."""
    held = {LogKey(it.site, it.epoch): it.outstanding for it in leases if it.asset == CNY}
    newest = {row.key.site: row.key.epoch for row in rows}
    epochs = schema.epochs
    opened = {(row.site, row.epoch): row.opened_ms for row in connection.execute(sa.select(epochs))}
    marked = _marks(connection, hq_size)
    for row in rows:
        key, lies = row.key, f"{yuan(held.get(row.key, 0))} yuan"
        if row.pinned.state == "lost":
            lent, since_ms = _lent(counters, key), marked[key].at_ms if key in marked else None
            heard = row.pinned.cosigned_ms is not None and since_ms is not None and row.pinned.cosigned_ms > since_ms
            detail = f"holds {lies}, {yuan(lent)} yuan lent; " + ("heard of since" if heard else "silent since")
            yield _finding("epoch-lost", key, detail, since_ms)
        elif row.pinned.state == "open" and key.site != HQ and key.epoch < newest[key.site]:
            detail = f"superseded by epoch {key.epoch + 1}, holds {lies}, awaiting its CLOSE"
            yield _finding("epoch-superseded", key, detail, opened.get((key.site, key.epoch + 1)))


def with_booked(
    connection: sa.Connection, found: Iterable[Finding], hq_size: int, counters: Counters
) -> Iterator[Finding]:
    """The findings, those of a fork whose branches somebody has had booked being explained."""
    looked_at = {
        str(key) for key, mark in _marks(connection, hq_size).items() if mark.body.why.startswith(forks.BOOKED)
    }
    booked: dict[str, bool] = {}
    for it in found:
        if it.code == "log-forked" and it.subject not in booked:
            booked[it.subject] = it.subject in looked_at and _is_booked(connection, it.subject, counters)
        explained = it.code == "log-forked" and booked[it.subject]
        yield msgspec.structs.replace(it, code="fork-booked") if explained else it


def _is_booked(connection: sa.Connection, place: str, counters: Counters) -> bool:
    """Whether all that the kept branches of this log captured has been booked."""
    site, _, epoch = place.rpartition("/")
    table = schema.epochs
    row = connection.execute(sa.select(table).where(table.c.site == site, table.c.epoch == int(epoch))).one()
    booked = {
        Held(key.account, key.asset): total
        for key, total in counters.items()
        if key.effect == Effect.FORKED and key.place == place
    }
    captured = forks.captures(forks.branch(connection, row))
    return all(booked.get(held, 0) >= amount for held, amount in captured.items())


def _lent(counters: Counters, key: LogKey) -> int:
    return sum(
        _STANDS[it.effect] * total
        for it, total in counters.items()
        if it.effect in _STANDS and it.asset == CNY and it.place == f"{key.site}/{key.epoch}" and it.account != RISK
    )


class _Mark(NamedTuple):
    body: EpochMarked
    at_ms: int


def _marks(connection: sa.Connection, hq_size: int) -> dict[LogKey, _Mark]:
    """What headquarters' log has last said of each epoch's state, and when."""
    table, epochs = schema.records, schema.epochs
    query = (
        sa.select(table.c.bytes, table.c.received_ms)
        .join_from(table, epochs, table.c.log == epochs.c.id)
        .where(epochs.c.site == HQ, table.c.kind == "epoch-marked", table.c.seq < hq_size)
        .order_by(table.c.seq)
    )
    found: dict[LogKey, _Mark] = {}
    for data, received_ms in connection.execute(query):
        body = body_of(decode(data, Record))
        assert isinstance(body, EpochMarked)
        found[LogKey(body.site, body.epoch)] = _Mark(body, received_ms)
    return found


def _finding(code: str, key: LogKey, detail: str, since_ms: int | None) -> Finding:
    return Finding(
        code=code,
        leg=Leg.BOOKS,
        site=key.site,
        subject=str(key),
        source=f"`fieldtill-hq epoch show {key.site} {key.epoch}`",
        detail=detail,
        since_ms=since_ms,
    )
