"""What did a site's charging ports and lockers do on a business day, and what of it does not add up? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from cloud.night.day import Since, came_late
from cloud.night.reconcile.bills import Tariffs
from cloud.night.reconcile.captures import TendersByHash
from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogFacts, LogKey, Told
from cloud.night.reconcile.ports import PortPricesByHash, reconcile_ports, register_gaps
from cloud.night.report_model import PortDay
from protocols.trade.quantities import kwh
from protocols.trade.records import Notice, session_id
from protocols.trade.records_port import LockerClosed, PortClosed, PortDayClosed, PortUnattributed

CALLS = (
    "pile-bill-faulty",
    "pile-bill-differs",
    "settlement-doubtful",
    "settlement-implausible",
    "locker-forced",
    "locker-door-stuck",
    "locker-unsure",
)
"""Notices of ports and lockers, which are findings of the same code."""


def site_ports(
    day: date,
    logs: Sequence[LogFacts],
    since: Since | None,
    lists: PortPricesByHash,
    tariffs: Tariffs,
    tenders: TendersByHash,
) -> tuple[PortDay | None, list[Finding]]:
    """The site's ports on this date, and what does not add up in all its logs. None: it has never had any."""
    if not any(facts.ports or facts.stays or facts.loose for facts in logs):
        return None, []
    iso = day.isoformat()
    site = logs[0].key.site
    findings = [*reconcile_ports(logs, lists, tariffs, tenders), *register_gaps(site, logs), *_day_closes(logs)]
    findings += _called_for(logs, iso)
    loose = list(_loose(logs, iso, since))
    findings += (_unattributed(key, told, body) for key, told, body in loose)
    visits = [it for facts in logs for it in facts.ports.values() if it.ended is not None and it.ended.date == iso]
    stays = [it for facts in logs for it in facts.stays.values() if it.ended is not None and it.ended.date == iso]
    bills = [it.closed for it in visits if isinstance(it.closed, PortClosed)]
    late = [it.closed for it in stays if isinstance(it.closed, LockerClosed)]
    made = PortDay(
        sessions=len(bills),
        energy_wh=sum(it.energy_wh or 0 for it in bills),
        amount_fen=sum(it.amount_fen for it in bills),
        unsettled=sum(not it.settled for it in bills),
        unattributed=len(loose),
        unattributed_wh=sum(body.energy_wh or 0 for _, _, body in loose),
        stays=len(late),
        late_fen=sum(it.amount_fen for it in late),
        stored=sum(it.ended is None for facts in logs for it in facts.stays.values()),
    )
    return made, findings


def _loose(logs: Iterable[LogFacts], iso: str, since: Since | None) -> Iterator[tuple[LogKey, Told, PortUnattributed]]:
    """Of this date, and of earlier ones that no report has had."""
    for facts in logs:
        for told in facts.loose:
            if isinstance(told.body, PortUnattributed) and (
                told.at.date == iso or came_late(told.at, facts.key, iso, since)
            ):
                yield facts.key, told, told.body


def _called_for(logs: Iterable[LogFacts], iso: str) -> Iterator[Finding]:
    """What the ports have called a person for."""
    for facts in logs:
        for told in facts.fuel:
            if isinstance(told.body, Notice) and told.body.what in CALLS and told.at.date == iso:
                yield Finding(
                    code=told.body.what,
                    leg=Leg.ENERGY,
                    site=facts.key.site,
                    subject=told.body.subject,
                    source=f"record {facts.key}/{told.at.seq}",
                    detail=told.body.detail,
                    since_ms=told.at.at_ms,
                )


def _unattributed(key: LogKey, told: Told, body: PortUnattributed) -> Finding:
    session = "" if body.session is None else f"session {session_id(key.site, key.epoch, body.session)} / "
    energy = "no energy told" if body.energy_wh is None else f"{kwh(body.energy_wh)} kWh"
    return Finding(
        code="settlement-unattributed",
        leg=Leg.ENERGY,
        site=key.site,
        subject=f"{body.board}.{body.port}",
        source=f"{session}record {key}/{told.at.seq}",
        detail=f"{body.why}: {energy}, ended by {body.end}, order {body.number.hex()}",
        difference_wh=body.energy_wh,
        since_ms=told.at.at_ms,
    )


def _day_closes(logs: Iterable[LogFacts]) -> Iterator[Finding]:
    """What each day's record of ports says against the records before it."""
    for facts in logs:
        told = [it for it in facts.loose if isinstance(it.body, PortDayClosed)]
        after = -1
        for it in told:
            body = it.body
            assert isinstance(body, PortDayClosed)
            meant, said = _sums(facts, after, it.at.seq), _said(body)
            if meant != said and not facts.missing:
                yield Finding(
                    code="day-differs",
                    leg=Leg.BOOKS,
                    site=facts.key.site,
                    subject=f"ports of day {body.day}",
                    source=f"record {facts.key}/{it.at.seq}",
                    detail=f"it says {said}, its records come to {meant}",
                    difference_fen=meant[2] + meant[6] - said[2] - said[6],
                    since_ms=it.at.at_ms,
                )
            after = it.at.seq


def _said(body: PortDayClosed) -> tuple[int, ...]:
    loose = (body.unattributed, body.unattributed_wh)
    return (body.sessions, body.energy_wh, body.amount_fen, *loose, body.stays, body.late_fen)


def _sums(facts: LogFacts, after: int, to: int) -> tuple[int, ...]:
    """As of a day's record, of what ended between these two seqs."""
    bills = [
        it.closed
        for it in facts.ports.values()
        if it.ended is not None and after < it.ended.seq < to and isinstance(it.closed, PortClosed)
    ]
    loose = [it.body for it in facts.loose if after < it.at.seq < to and isinstance(it.body, PortUnattributed)]
    stays = [
        it.closed
        for it in facts.stays.values()
        if it.ended is not None and after < it.ended.seq < to and isinstance(it.closed, LockerClosed)
    ]
    return (
        len(bills),
        sum(it.energy_wh or 0 for it in bills),
        sum(it.amount_fen for it in bills),
        len(loose),
        sum(it.energy_wh or 0 for it in loose),
        len(stays),
        sum(it.amount_fen for it in stays),
    )
