"""Any order of payments, sessions, silences, loans and ends of a box: no guest's fen is lost, doubled or free."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hq_box import Box, admit, balance
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cloud import balances, epochs, guests, loans, refunds, schema, store
from cloud.clock import SetClock
from cloud.posting import Log
from cloud.service import Headquarters
from protocols.trade import books, carried
from protocols.trade.records import CNY, EpochClosed

HOUR_MS = 3_600_000


@dataclass
class Guest:
    """What the guest knows: paid, and whether the box has served it. told: headquarters has heard how it ended."""

    account: str
    paid: int
    code: str
    used: int = 0
    served: bool = False
    told: bool = False


class Guests(RuleBasedStateMachine):
    """One site, whose box goes on working whatever headquarters thinks of it."""

    hq: Headquarters  # one for all lives: each is a site of its own

    @initialize()
    def begin(self) -> None:
        self.box = Box(f"S-{uuid4().hex[:12]}")
        admit(self.hq, self.box)
        self.box.enrol(self.hq)
        self.box.send(self.hq, 0)
        self.guests: list[Guest] = []
        self.closed = False

    # --- what people, the box and time do ---

    @rule(amount=st.integers(1, 5_000))
    def pay(self, amount: int) -> None:
        with store.writing(self.hq.engine) as connection:
            paid = guests.pay(
                connection,
                self.hq.keys,
                self.hq.clock,
                channel="wechat",
                reference=f"{self.box.site}-{len(self.guests)}",
                amount=amount,
                site=self.box.site,
                connector="bay-1",
            )
        text = "" if paid.code is None else paid.code.text
        self.guests.append(Guest(paid.account, amount, text, served=not text, told=not text))

    @precondition(lambda self: not self.closed and any(not one.served for one in self.guests))
    @rule(which=st.integers(0, 99), used=st.integers(0, 5_000), fill_up=st.booleans(), linked=st.booleans())
    def serve(self, which: int, used: int, fill_up: bool, linked: bool) -> None:
        """The box takes the code in, sells, and returns the rest: all in its own log, which it may send at once."""
        waiting = [one for one in self.guests if not one.served]
        guest = waiting[which % len(waiting)]
        guest.used, guest.served = (guest.paid if fill_up else min(used, guest.paid)), True
        self.box.accept(carried.read(guest.code).grant_bytes)
        if guest.used:
            self.box.sell(guest.account, guest.used)
        if guest.used < guest.paid:
            self.box.give_back(guest.account, guest.paid - guest.used)
        if linked:
            self.send(0)

    @rule(back=st.integers(0, 3))
    def link_is_there(self, back: int) -> None:
        self.send(back)

    def send(self, back: int) -> None:
        """The link is there for a moment; the last records may come again."""
        self.box.send(self.hq, max(0, self.at_hq() - back))
        for guest in self.guests:
            guest.told |= guest.served or self.closed

    @precondition(lambda self: not self.closed and len(self.guests) > 3)
    @rule()
    def close(self) -> None:
        """The box says CLOSE: nothing follows, whoever still waits."""
        self.box.add(EpochClosed("done"))
        self.closed = True

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours: int) -> None:
        assert isinstance(self.hq.clock, SetClock)
        self.hq.clock.advance(hours * HOUR_MS)
        guests.tend(self.hq.engine, self.hq.keys, self.hq.clock, 48)

    @rule(lost=st.booleans())
    def lose_or_find(self, lost: bool) -> None:
        """A person gives the box up and lends what lies there, or finds it again."""
        with store.writing(self.hq.engine) as connection:
            if epochs.require(connection, self.box.site, 1).state == epochs.CLOSED:
                return
            if not lost:
                epochs.mark_found(connection, self.hq.keys, self.hq.clock, self.box.site, 1)
                return
            epochs.mark_lost(connection, self.hq.keys, self.hq.clock, self.box.site, 1, "stolen")
            epochs.lend(connection, self.hq.keys, self.hq.clock, self.box.site, 1)

    @rule()
    def refund(self) -> None:
        """Somebody orders the oldest refund."""
        with store.writing(self.hq.engine) as connection:
            mine = [one for one in refunds.show_all(connection) if one.payment.startswith(self.box.site)]
            for one in mine[:1]:
                refunds.done(connection, self.hq.keys, self.hq.clock, one.reference, f"c-{one.reference}")

    # --- what is always true ---

    @invariant()
    def no_guest_has_free_money(self) -> None:
        for guest in getattr(self, "guests", []):
            assert balance(self.hq, books.cust(guest.account)) == 0

    @invariant()
    def every_fen_is_somewhere(self) -> None:
        if not hasattr(self, "guests"):
            return
        with store.reading(self.hq.engine) as connection:
            assert balances.of(connection, CNY).remainder == 0
            assert connection.execute(sa.select(sa.func.count()).select_from(schema.quarantine)).scalar_one() == 0
            accounts = {guest.account for guest in self.guests}
            lent = sum(loans.read(connection, Log(0, self.box.site, 1), accounts).values())
            owed = {guest.account: 0 for guest in self.guests}
            for one in refunds.show_all(connection, with_done=True):
                if one.account in owed:
                    owed[one.account] += one.amount
        expected = 0
        for guest in self.guests:
            lies = balance(self.hq, books.lease(guest.account, self.box.site, 1))
            if guest.told:
                assert lies == 0
                kept = guest.paid - owed[guest.account]
                assert kept in (guest.used, 0)  # the guest bore what was delivered, or the operator did
                expected += 0 if kept == guest.used else guest.used
            else:
                assert lies == guest.paid
                assert owed[guest.account] in (0, guest.paid)
                expected += owed[guest.account]
        assert lent == expected

    def at_hq(self) -> int:
        with store.reading(self.hq.engine) as connection:
            return int(epochs.require(connection, self.box.site, 1).size)


@pytest.fixture(autouse=True)
def _headquarters(light_hq: Headquarters) -> None:
    Guests.hq = light_hq


class TestGuests(Guests.TestCase):  # type: ignore[misc]  # hypothesis makes it
    """Twenty-five lives of a site, twenty acts each."""

    settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
