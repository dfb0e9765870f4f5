"""Known-bad software: production with one thing made wrong. A simulator that does not catch these proves little.

They live here alone. Each is a design that somebody has built: increments instead of totals, a queue of commands
instead of durable state, a hold that follows the start, an acknowledgement before the disk, money freed by a timeout.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any
from unittest import mock

import sqlalchemy as sa
from msgspec.structs import replace
from sim_box import Box, VirtualWriter
from sim_hq import MortalService
from sim_variants_fuel import FUEL_VARIANTS
from sim_variants_ports import PORT_VARIANTS
from sim_variants_shop import SHOP_VARIANTS
from sim_world import Variant

import edge.till.fold
from cloud import bulk, schema
from cloud.ingest import Ingested
from cloud.service import Answer, Request, _inflate
from edge.desk import Desk
from edge.journal.step import Sealed, Step
from edge.rollback import Guard
from edge.site import Site
from edge.till import purse
from edge.till.fold import accept
from edge.till.sight import Sight
from edge.till.start import Ask, Refused
from edge.till.state import OpenSession, TillState, lease_key
from protocols.trade import books
from protocols.trade.codec import decode
from protocols.trade.grants import Grant, split
from protocols.trade.records import CNY, Draft, GrantAccepted, Hold, Record, SessionExtended, SessionOpened
from protocols.trade.wire import BATCH_BYTES_MAX, Batch

# --- increments instead of totals: a grant that comes twice counts twice ----------------------------------------------


def delta_grants() -> Variant:
    """Each grant is taken as "so much more", whether or not it has come before."""
    totals: dict[tuple[str, str, int], int] = {}  # what headquarters meant with each serial

    def increment(grant: Grant) -> int:
        totals[grant.site, grant.account, grant.serial] = grant.granted
        return grant.granted - totals.get((grant.site, grant.account, grant.serial - 1), 0)

    def accept_more(state: TillState, body: GrantAccepted) -> TillState:
        grant, _, _ = split(body.grant)
        key = lease_key(grant.account, grant.asset)
        before = state.leases[key].granted if key in state.leases else 0
        after = accept(state, body)
        lease = replace(after.leases[key], granted=before + increment(grant))
        return replace(after, leases={**after.leases, key: lease})

    def patches() -> list[Any]:
        totals.clear()
        return [
            mock.patch.object(edge.till.fold, "accept", accept_more),
            mock.patch.object(purse, "is_news", lambda state, signed: split(signed)[0].site == state.site),
        ]

    return Variant("delta grants", patches=patches)


# --- act before commit ------------------------------------------------------------------------------------------------


class EagerDesk(Desk):
    """Lets a charger go on what has been decided, durable or not."""

    def wants_delivery(self, connector: str) -> bool:
        found = self.session_at(connector)
        return found is not None and found[1].wants_delivery


# --- hold after start -------------------------------------------------------------------------------------------------


class LateHoldDesk(Desk):
    """Opens a session with nothing set aside, and takes the hold once it runs."""

    async def start(self, ask: Ask, sight: Sight) -> OpenSession | Refused:
        decision = self._decide(ask, sight)
        if isinstance(decision, Refused):
            return decision
        body = decision.draft.body
        assert isinstance(body, SessionOpened)
        wanted = list(body.holds)
        empty = [Hold(hold.account, hold.asset, 0) for hold in wanted]
        late = dataclasses.replace(decision, draft=Draft(replace(body, holds=empty)))
        with mock.patch.object(self, "_decide", return_value=late):
            session = await super().start(ask, sight)
        assert isinstance(session, OpenSession)
        await asyncio.sleep(1)
        if session.seq in self.state.sessions:
            await self.record([Draft(SessionExtended(session.seq, wanted))])
        return session


# --- acknowledged before it is on the disk ----------------------------------------------------------------------------


class HastyWriter(VirtualWriter):
    """Tells that a step is durable as soon as it has been handed over."""

    def submit(self, step: Step) -> asyncio.Future[None]:
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        told.set_result(None)
        self._box.witness.committed(self._box.branch, step.sealed)
        super().submit(step)
        return told

    def _is_durable(self, sealed: Sequence[Sealed]) -> None:
        """Told already."""


def unsynced(box: Box) -> None:
    """SQLite as many use it: a commit is handed to the system, and synced when the write-ahead log is moved."""
    box.synchronous = "PRAGMA synchronous = NORMAL"


def lying(box: Box) -> None:
    """A medium that says "synced" and keeps it in its cache."""
    box.disk.lies = True


# --- headquarters posts a repeated batch again ------------------------------------------------------------------------


class ForgetfulService(MortalService):
    """Posts what a repeated batch tells, again."""

    def _batch(self, request: Request) -> Answer:
        answer = super()._batch(request)
        if answer.status != 200 or answer.new:
            return answer
        batch = decode(_inflate(request), Batch, bytes_max=BATCH_BYTES_MAX)
        with self.engine.begin() as connection:
            for leaf in batch.records:
                _post(connection, request, decode(leaf, Record))
        return answer


class CredulousService(MortalService):
    """Posts what a batch tells as it comes in, and looks at its head afterwards."""

    def _batch(self, request: Request) -> Answer:
        answer = super()._batch(request)
        if answer.status == 200:
            return answer
        batch = decode(_inflate(request), Batch, bytes_max=BATCH_BYTES_MAX)
        with self.engine.begin() as connection:
            size = connection.scalar(sa.select(schema.epochs.c.size).where(schema.epochs.c.site == request.site)) or 0
            for leaf in batch.records[max(0, size - batch.first_seq) :]:
                _post(connection, request, decode(leaf, Record))
        return answer


def _post(connection: sa.Connection, request: Request, record: Record) -> None:
    for transfer in books.transfers(request.site, request.epoch, record):
        _carry(connection, transfer.debit, transfer.credit, transfer.amount)


# --- headquarters frees what a silent site holds ----------------------------------------------------------------------


class ReclaimingService(MortalService):
    """Takes back what a site has not reported on for five minutes, and grants it elsewhere."""

    def _provide(self, head: sa.Row[Any], taken: Ingested) -> set[str]:
        now_ms = self.clock.now_ms()
        epochs, leases = schema.epochs, schema.leases
        with self.engine.begin() as connection:
            silent = sa.select(epochs.c.id, epochs.c.site, epochs.c.epoch).where(
                epochs.c.site != "", epochs.c.seen_ms < now_ms - 300_000
            )
            for log in connection.execute(silent).all():
                held = sa.select(leases).where(leases.c.log == log.id)
                for lease in connection.execute(held).all():
                    amount = lease.granted - lease.used - lease.returned
                    from_code = books.lease(lease.account, log.site, log.epoch)
                    _carry(connection, from_code, books.cust(lease.account), amount)
                    mine = (leases.c.log == log.id) & (leases.c.account == lease.account)
                    connection.execute(leases.update().where(mine).values(granted=lease.granted - amount))
        return super()._provide(head, taken)


def _carry(connection: sa.Connection, debit: str, credit: str, amount: int) -> None:
    """Move money between two accounts of the ledger, without any record."""
    for column, code in (("debits", debit), ("credits", credit)):
        bulk.add(connection, schema.ledger, ["code", "asset"], [column], [(code, CNY, amount)])


class DeafDesk(Desk):
    """Goes on selling when headquarters has refused its log: it never hears of it."""

    disputed = property(lambda self: None, lambda self, why: None)


class ForgetfulDesk(Desk):
    """Keeps in memory alone that headquarters has refused its log. Production did this once."""

    async def dispute(self, why: str | None) -> None:
        self.disputed = why


async def _never_compared(guard: Guard, ticks: int) -> list[Draft]:
    return []


def unread_counter() -> Variant:
    """The rollback counter is ticked, and nobody compares it with the log."""
    often = {"set_back_every_s": 80, "link_every_s": 60, "close_every_s": 0}
    patches = [mock.patch.object(Guard, "check", _never_compared)]
    return Variant("a counter nobody reads", faults=often, patches=lambda: patches)


def _as_polled(site: Site) -> dict[str, Sight]:
    return site.watch.sights()


def hasty_settlement() -> Variant:
    """A session ends by a status from before the last order to the charger had ended. Production did this once."""
    return Variant("off before the last order ended", patches=lambda: [mock.patch.object(Site, "_sights", _as_polled)])


VARIANTS = (
    delta_grants(),
    Variant("act before commit", desk=EagerDesk),
    Variant("hold after start", desk=LateHoldDesk),
    Variant("acknowledged before it is durable", writer=HastyWriter),
    Variant("synchronous = NORMAL", box=unsynced),
    Variant("a disk that lies about fsync", box=lying),
    Variant("a repeated batch posted twice", service=ForgetfulService),
    Variant("posted before it is verified", service=CredulousService),
    Variant("rights freed by a timeout", service=ReclaimingService),
    hasty_settlement(),
    Variant("a fork does not stop trade", desk=DeafDesk, faults={"copied_every_s": 80, "close_every_s": 0}),
    Variant(
        "a refusal is forgotten at the next start", desk=ForgetfulDesk,
        faults={"set_back_every_s": 80, "link_every_s": 60, "kill_every_s": 60, "close_every_s": 0},
    ),
    unread_counter(),
    *FUEL_VARIANTS,
    *PORT_VARIANTS,
    *SHOP_VARIANTS,
)  # fmt: skip
