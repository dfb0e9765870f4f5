"""What is not told yet? Sessions that have not ended, and sites that have not reported: nothing wrong, but ageing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogFacts
from protocols.trade.records import CNY


def unfinished(logs: Iterable[LogFacts]) -> Iterator[Finding]:
    """One finding for each session that runs or is held for review, with what it holds."""
    for facts in logs:
        for session in facts.deliveries:
            if session.ended is None:
                held_fen = sum(hold.amount for hold in session.holds if hold.asset == CNY)
                why = "" if session.held is None else f": {session.held.finding}, {session.held.detail}"
                yield Finding(
                    code="session-open" if session.held is None else "session-held",
                    leg=Leg.BOOKS,
                    site=facts.key.site,
                    subject=session.id,
                    source=f"session {session.id}",
                    detail=f"{held_fen} fen of {session.account} held on {session.place}{why}",
                    since_ms=session.begun.at_ms,
                )


def unreported(site: str, logs: Iterable[LogFacts], begins_ms: int) -> Finding:
    """A site that has not told its whole day; aged from its last record, or from the day's begin for want of one."""
    lasts = [facts.last for facts in logs if facts.last is not None]
    last = max(lasts, key=lambda it: it.received_ms, default=None)
    detail = "it has never reported" if last is None else f"its last record, {last.seq}, is of business day {last.date}"
    return Finding(
        code="site-awaited",
        leg=Leg.BOOKS,
        site=site,
        subject=site,
        source="last contact / end of the business day",
        detail=detail,
        since_ms=begins_ms if last is None else last.received_ms,
    )
