"""Boxes are lost, found, replaced and closed in any order, while customers are lent what lies there: nobody gains or
loses a fen that the records do not tell of.
"""

from __future__ import annotations

import tempfile

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hq_box import Box, admit, open_headquarters
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cloud import accounts, adjust, epochs, loans, schema, store
from cloud.accounts import Limits
from cloud.acts import Denied
from cloud.loans import Held
from protocols.trade import books
from protocols.trade.grants import split
from protocols.trade.records import CNY, RISK, Effect, EpochClosed

A, B = Held("A", CNY), Held("B", CNY)


@pytest.mark.parametrize(
    ("leases", "lent", "more"),
    [
        ({A: 500}, {}, {A: 500}),
        ({A: 500}, {A: 500}, {}),
        ({A: 500}, {A: 200}, {A: 300}),
        ({A: 100}, {A: 500}, {}),
        ({A: 500, B: 70}, {A: 500}, {B: 70}),
        ({Held(RISK, CNY): 900}, {}, {}),
    ],
    ids=["first", "again", "since then more came", "used since", "another account", "the operator's own"],
)
def test_what_may_be_lent(leases: loans.Amounts, lent: loans.Amounts, more: loans.Amounts) -> None:
    """What lies there and has not been lent: never twice, and never to the operator itself."""
    assert loans.to_lend(leases, lent) == more


@pytest.mark.parametrize(
    ("amount", "lent", "charged", "settled"),
    [(500, 0, {}, (0, 500)), (500, 500, {A: 500}, (500, 0)), (500, 120, {A: 120}, (120, 380)), (0, 90, {}, None)],
)
def test_how_a_loan_comes_back(amount: int, lent: int, charged: loans.Amounts, settled: tuple[int, int] | None) -> None:
    """By a late return from the customer, at CLOSE from the lease: up to the loan, and the rest is the customer's."""
    assert loans.to_charge({A: amount}, {A: lent}) == charged
    assert loans.to_settle({A: amount}, {A: lent}) == ({} if settled is None else {A: settled})


class AnyLife(RuleBasedStateMachine):
    """One site, two accounts, one epoch after the other; late, repeated and cut uploads of all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.hq = open_headquarters(f"sqlite:///{self.directory.name}/hq.db")
        self.paid: dict[str, int] = {}
        self.about: dict[str, int] = {}
        self.boxes: list[Box] = []
        self.rights: dict[tuple[int, str], int] = {}
        self.seen: dict[tuple[int, str], int] = {}
        self.closed: set[int] = set()
        self.orders = 0

    @initialize()
    def set_up(self) -> None:
        limits = Limits(session_limit=9_000, placed=0, site_max=2_000)
        self.enrol()
        with store.writing(self.hq.engine) as connection:
            for _ in range(2):
                hq = self.hq
                account = accounts.open_account(connection, hq.keys, hq.clock, home_site=None, limits=limits)
                accounts.top_up(connection, hq.keys, hq.clock, account, 5_000, channel="c", reference=account)
                self.paid[account], self.about[account] = 5_000, 0

    def teardown(self) -> None:
        self.hq.engine.dispose()
        self.directory.cleanup()

    def enrol(self) -> None:
        box = Box("s")
        admit(self.hq, box)
        box.enrol(self.hq)
        self.boxes.append(box)

    def account(self, who: int) -> str:
        return sorted(self.paid)[who]

    def box(self, which: int) -> tuple[int, Box]:
        """Counted from the newest."""
        index = max(0, len(self.boxes) - 1 - which)
        return index, self.boxes[index]

    who, which, fen = st.integers(0, 1), st.integers(0, 2), st.integers(1, 900)

    @rule(who=who, amount=fen)
    def ask(self, who: int, amount: int) -> None:
        index, box = self.box(0)
        with store.reading(self.hq.engine) as connection:
            row = connection.execute(sa.select(schema.epochs.c.state).where(schema.epochs.c.epoch == box.epoch)
                                     .where(schema.epochs.c.site == "s")).one()  # fmt: skip
        if row.state != epochs.OPEN or index in self.closed:
            return
        key = index, self.account(who)
        want = self.seen.get(key, 0) + amount
        reply = box.ask(self.hq, key[1], want)
        if reply.grant:
            granted = split(reply.grant)[0].granted
            self.rights[key] = self.rights.get(key, 0) + granted - self.seen.get(key, 0)
            self.seen[key] = granted
            box.accept(reply.grant)

    @rule(who=who, which=which, amount=fen, back=st.booleans())
    def spend(self, who: int, which: int, amount: int, back: bool) -> None:
        index, box = self.box(which)
        key = index, self.account(who)
        spent = min(amount, self.rights.get(key, 0))
        if spent and index not in self.closed:
            self.rights[key] -= spent
            (box.give_back if back else box.sell)(key[1], spent)

    @rule(which=which, back=st.integers(0, 3), cut=st.integers(0, 2))
    def upload(self, which: int, back: int, cut: int) -> None:
        _, box = self.box(which)
        size = self.size(box)
        first = max(0, size - back)
        box.send(self.hq, first, max(first, len(box.leaves) - cut))

    @rule(which=which)
    def close(self, which: int) -> None:
        index, box = self.box(which)
        if index not in self.closed:
            self.closed.add(index)
            box.add(EpochClosed("over"))

    @precondition(lambda self: len(self.boxes) < 4)
    @rule()
    def replace(self) -> None:
        self.enrol()

    @rule(which=which, verb=st.sampled_from(["lost", "found", "loan"]))
    def order(self, which: int, verb: str) -> None:
        _, box = self.box(which)
        hq, at = self.hq, ("s", box.epoch)
        try:
            with store.writing(hq.engine) as connection:
                if verb == "lost":
                    epochs.mark_lost(connection, hq.keys, hq.clock, *at, "away")
                elif verb == "found":
                    epochs.mark_found(connection, hq.keys, hq.clock, *at)
                else:
                    epochs.lend(connection, hq.keys, hq.clock, *at)
                    assert epochs.lend(connection, hq.keys, hq.clock, *at) == {}
        except Denied:
            pass

    @rule(who=who, which=which, amount=fen)
    def charge(self, who: int, which: int, amount: int) -> None:
        account, (_, box) = self.account(who), self.box(which)
        hq, link = self.hq, f"s/{box.epoch}/0"
        self.orders += 1
        before = self.total(Effect.CHARGED, account, f"@s/{box.epoch}")
        try:
            for _ in range(2):
                with store.writing(hq.engine) as connection:
                    adjust.charge(
                        connection, hq.keys, hq.clock, account, amount,
                        because=link, why="", reference=f"adj-{self.orders}",
                    )  # fmt: skip
        except Denied:
            return
        self.about[account] += self.total(Effect.CHARGED, account, f"@s/{box.epoch}") - before

    def size(self, box: Box) -> int:
        table = schema.epochs
        with store.reading(self.hq.engine) as connection:
            query = sa.select(table.c.size).where(table.c.site == "s", table.c.epoch == box.epoch)
            return int(connection.execute(query).scalar_one())

    def total(self, effect: str, account: str, place: str) -> int:
        table = schema.counters
        query = sa.select(table.c.total).where(
            table.c.effect == effect, table.c.account == account, table.c.place == place
        )
        with store.reading(self.hq.engine) as connection:
            return int(connection.execute(query).scalar() or 0)

    @invariant()
    def nobody_gains_or_loses(self) -> None:
        """Of each customer: free + at sites - loans that stand out = paid in - used - adjusted. Of the operator: it has
        lost what stands out, and gained what was adjusted. No lease of a closed log holds anything.
        """
        if not self.paid:
            return
        with store.reading(self.hq.engine) as connection:
            held = {row.code: row.credits - row.debits for row in connection.execute(sa.select(schema.ledger))}
            leases = connection.execute(sa.select(schema.leases, schema.epochs.c.state).join(schema.epochs)).all()
            kept = connection.execute(sa.select(sa.func.count()).select_from(schema.quarantine)).scalar_one()
        out_in_all = 0
        for account, paid in self.paid.items():
            mine = [row for row in leases if row.account == account]
            lent = 0
            for box in self.boxes:
                place = f"s/{box.epoch}"
                stands = self.total(Effect.LOANED, account, place)
                stands -= self.total(Effect.CHARGED, account, place) + self.total(Effect.REPAID, account, place)
                assert stands >= 0
                lent += stands
            left = sum(row.granted - row.used - row.returned - row.freed for row in mine)
            used = sum(row.used for row in mine)
            assert held.get(books.cust(account), 0) + left - lent == paid - used - self.about[account]
            assert all(row.granted == row.used + row.returned + row.freed for row in mine if row.state == epochs.CLOSED)
            out_in_all += lent
        assert held.get(books.OPERATOR_RISK, 0) == sum(self.about.values()) - out_in_all
        assert sum(held.values()) == 0
        assert kept == 0


AnyLife.TestCase.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
TestAnyLife = AnyLife.TestCase
