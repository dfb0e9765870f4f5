"""What is counted for the operators' monitoring? Prometheus text; one registry for each application."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from cloud import schema
from cloud.mqtt import Heard
from cloud.service import Answer
from cloud.store import reading
from protocols.trade import books


class Metrics:
    """Counters of requests, and gauges read from the database when asked."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ["path", "outcome"]
        self._requests = Counter("fieldtill_requests", "Requests answered", labels, registry=self._registry)
        self._records = Counter("fieldtill_records", "Records taken in", registry=self._registry)
        self._epochs = Gauge("fieldtill_epochs", "Epochs by state", ["state"], registry=self._registry)
        self._silent = Gauge("fieldtill_site_silent_seconds", "Since last heard", ["site"], registry=self._registry)
        self._online = Gauge("fieldtill_site_online", "1 while the broker hears it", ["site"], registry=self._registry)
        self._quarantined = Gauge("fieldtill_quarantined", "Moves and batches in quarantine", registry=self._registry)
        self._refunds = Gauge("fieldtill_refunds_due_fen", "Owed back to guests", ["channel"], registry=self._registry)
        self._guests = Gauge("fieldtill_guests_waiting", "Sessions paid by phone, not ended", registry=self._registry)

    def count(self, path: str, answer: Answer) -> None:
        self._requests.labels(path, answer.outcome).inc()
        self._records.inc(answer.new)

    def show_online(self, heard: Mapping[str, Heard]) -> None:
        """A site of which nothing is known has no line, rather than the last that was known."""
        self._online.clear()
        for site, last in heard.items():
            if last.presence is not None:
                self._online.labels(site).set(int(last.presence.online))

    def render(self, engine: sa.Engine, now_ms: int) -> str:
        epochs = schema.epochs
        with reading(engine) as connection:
            for state in ("open", "frozen", "lost", "closed"):
                count = sa.select(sa.func.count()).where(epochs.c.state == state, epochs.c.site != books.HQ)
                self._epochs.labels(state).set(connection.execute(count).scalar_one())
            newest = sa.select(epochs.c.site, sa.func.max(epochs.c.seen_ms)).where(epochs.c.site != books.HQ)
            for site, seen_ms in connection.execute(newest.group_by(epochs.c.site)):
                if seen_ms is not None:
                    self._silent.labels(site).set((now_ms - seen_ms) // 1000)
            quarantined = sa.select(sa.func.count()).select_from(schema.quarantine)
            self._quarantined.set(connection.execute(quarantined).scalar_one())
            refunds, guests = schema.refunds, schema.guests
            due = sa.select(refunds.c.channel, sa.func.sum(refunds.c.amount)).where(refunds.c.done_ms.is_(None))
            self._refunds.clear()
            for channel, amount in connection.execute(due.group_by(refunds.c.channel)):
                self._refunds.labels(channel).set(int(amount))
            waiting = sa.select(sa.func.count()).select_from(guests).where(guests.c.settled_ms.is_(None))
            self._guests.set(connection.execute(waiting).scalar_one())
        return generate_latest(self._registry).decode()
