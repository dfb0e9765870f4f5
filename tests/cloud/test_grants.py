"""Value is granted, placed, returned: whatever order things come in, nothing is made and nothing lost."""

from __future__ import annotations

import tempfile

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hq_box import Box, admit, balance, dump, open_headquarters, read, refused
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cloud import accounts, bulk, grants, hqlog, schema, store
from cloud.accounts import Limits
from cloud.hqlog import Act, Change
from cloud.service import Headquarters
from protocols.proof import keys as proof_keys
from protocols.trade import books, wire
from protocols.trade.grants import DOMAIN, Grant, hide_credential, split
from protocols.trade.records import CNY, Effect
from protocols.trade.wire import GrantAsk, GrantReply, RefusalCode

DAY_MS = 86_400_000


def open_account(
    hq: Headquarters, fen: int, *, home: str | None = None, placed: int = 0, site_max: int = 20_000
) -> str:
    with store.writing(hq.engine) as connection:
        limits = Limits(session_limit=8_000, placed=placed, site_max=site_max)
        account = accounts.open_account(connection, hq.keys, hq.clock, home_site=home, limits=limits)
        if fen:
            accounts.top_up(connection, hq.keys, hq.clock, account, fen, channel="wechat", reference=f"first-{account}")
    return account


def new_box(hq: Headquarters, site: str) -> Box:
    box = Box(site)
    admit(hq, box)
    box.enrol(hq)
    box.send(hq, 0)
    return box


def grant_of(signed: bytes) -> Grant:
    return split(signed)[0]


# --- the two decisions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("want", "granted", "outstanding", "free", "site_max", "step"),
    [
        (500, 0, 0, 1_000, 900, 500),
        (500, 500, 200, 1_000, 900, 0),
        (500, 300, 100, 1_000, 900, 200),
        (500, 0, 0, 120, 900, 120),
        (5_000, 0, 0, 9_000, 900, 900),
        (5_000, 4_000, 800, 9_000, 900, 100),
        (500, 0, 950, 9_000, 900, 0),
        (500, 0, 0, 0, 900, 0),
    ],
    ids=["whole", "repeat", "more", "poor", "capped", "capped by what is out", "over the cap", "nothing"],
)
def test_how_much_a_grant_rises(want: int, granted: int, outstanding: int, free: int, site_max: int, step: int) -> None:
    """min(wanted - granted, free, site's maximum - what is out), never below 0."""
    assert grants.raise_for(want, granted, outstanding, free, site_max) == step


# --- online ----------------------------------------------------------------------------------------------------------


def test_an_online_grant_names_who_may_draw_on_it(hq: Headquarters) -> None:
    """Signed by the grant key, for this site and epoch, with the account's cards and limits in it."""
    box = new_box(hq, "pudong-1")
    account = open_account(hq, 10_000, placed=300)
    with store.writing(hq.engine) as connection:
        accounts.add_card(connection, hq.keys, hq.clock, account, " 04a1b2c3 ")
        key = accounts.current_key(connection)
    hidden = hide_credential(key, "04A1B2C3")
    ask = GrantAsk(key.version, hidden, "", CNY, 2_500, box.checkpoint(1))
    reply = read(hq.answer(box.request(wire.PATH_GRANT, ask)), GrantReply)

    grant, payload, signature = split(reply.grant)
    proof_keys.verify(hq.keys.grant_vkey.public, DOMAIN, payload, signature)
    assert (grant.account, grant.site, grant.epoch, grant.serial) == (account, "pudong-1", 1, 0)
    assert (grant.granted, grant.session_limit, grant.may_stay) == (2_500, 8_000, 300)
    assert (grant.credential_key, grant.credentials) == (key.version, [hidden])
    assert grant.expires_s - grant.issued_s == grants.GRANT_DAYS * 86_400


def test_a_repeated_ask_gets_the_same_bytes(hq: Headquarters) -> None:
    """The site asks for a total, so a lost reply is asked for again at no cost."""
    box, account = new_box(hq, "pudong-1"), open_account(hq, 10_000)
    first = box.ask(hq, account, 2_500)
    before = dump(hq)
    hq.clock.advance(1_000)
    assert box.ask(hq, account, 2_500) == first
    assert {n for n, rows in dump(hq).items() if rows != before[n]} <= {"visits"}
    assert grant_of(box.ask(hq, account, 2_600).grant).granted == 2_600


def test_less_than_wanted_and_nothing_at_all(hq: Headquarters) -> None:
    """An account gives what it has; one with nothing is refused by name."""
    box = new_box(hq, "pudong-1")
    poor, empty = open_account(hq, 120), open_account(hq, 0)
    assert grant_of(box.ask(hq, poor, 500).grant).granted == 120
    assert box.ask(hq, empty, 500) == GrantReply(b"", "no-funds", 1)
    assert box.ask(hq, "nobody", 500) == GrantReply(b"", "unknown-credential", 1)


def test_only_the_newest_epoch_is_granted_value(hq: Headquarters) -> None:
    """After a box has been set up anew, the old log may still be sent, and gets nothing more."""
    box, account = new_box(hq, "pudong-1"), open_account(hq, 10_000)
    old = box.request(wire.PATH_GRANT, box.grant_ask(account, 100))
    box.sell("someone", 0)
    late = box.request(wire.PATH_BATCH, box.batch(1))
    box.log_key = Box("x").log_key
    assert box.enrol(hq).epoch == 2
    assert refused(hq.answer(old)).code == RefusalCode.EPOCH_FROZEN
    assert hq.answer(late).status == 200


def test_a_frozen_account_is_frozen_everywhere(hq: Headquarters) -> None:
    """Every site that holds value gets a grant that admits nobody; thawed, it is as before. G never moves."""
    box, account = new_box(hq, "pudong-1"), open_account(hq, 10_000)
    box.accept(box.ask(hq, account, 2_000).grant)
    box.send(hq, 1)
    with store.writing(hq.engine) as connection:
        done = accounts.set_status(connection, hq.keys, hq.clock, account, "frozen")
    assert done.sites == {"pudong-1"}
    assert box.ask(hq, account, 3_000) == GrantReply(b"", "account-frozen", 2)
    (signed,) = box.send(hq, 1).grants
    frozen = grant_of(signed)
    assert (frozen.serial, frozen.granted, frozen.session_limit, frozen.credentials) == (1, 2_000, 0, [])
    with store.writing(hq.engine) as connection:
        accounts.set_status(connection, hq.keys, hq.clock, account, "open")
    thawed = grant_of(box.send(hq, 1).grants[0])
    assert (thawed.serial, thawed.granted, thawed.session_limit) == (2, 2_000, 8_000)


# --- placed beforehand -----------------------------------------------------------------------------------------------


def test_an_allowance_waits_at_home_from_the_first_top_up(hq: Headquarters) -> None:
    """Paid in, and a moment later ready for a home site whose link is down most of the day."""
    box = new_box(hq, "pudong-1")
    account = open_account(hq, 10_000, home="pudong-1", placed=3_000)
    (signed,) = box.send(hq, 1).grants
    assert (grant_of(signed).account, grant_of(signed).granted, grant_of(signed).may_stay) == (account, 3_000, 3_000)
    assert balance(hq, books.cust(account)) == 7_000


def test_a_box_set_up_anew_is_provided_for(hq: Headquarters) -> None:
    """A new epoch starts with the allowances of those who are at home there; what the old one holds stays with it."""
    box = new_box(hq, "pudong-1")
    account = open_account(hq, 10_000, home="pudong-1", placed=3_000)
    box.log_key = Box("x").log_key
    box.enrol(hq)
    assert grant_of(box.send(hq, 0).grants[0]).granted == 3_000
    assert balance(hq, books.cust(account)) == 10_000 - 2 * 3_000


def test_the_allowance_is_refilled_as_it_is_used(hq: Headquarters) -> None:
    """G rises by exactly what was used; when the account runs dry, by what is left."""
    box = new_box(hq, "pudong-1")
    account = open_account(hq, 5_000, home="pudong-1", placed=3_000)
    box.sell(account, 1_200)
    assert grant_of(box.send(hq, 1).grants[0]).granted == 4_200
    box.sell(account, 2_000)
    assert grant_of(box.send(hq, 2).grants[0]).granted == 5_000
    assert balance(hq, books.cust(account)) == 0


def test_it_follows_the_customer_to_the_last_two_sites(hq: Headquarters) -> None:
    """Home and the two sites visited last; the one before them is no longer refilled, and keeps what it has."""
    boxes = [new_box(hq, f"site-{n}") for n in range(4)]
    account = open_account(hq, 100_000, home="site-0", placed=1_000)
    for box in boxes[1:]:
        hq.clock.advance(DAY_MS)
        box.ask(hq, account, 500)
        box.sell(account, 500)
        box.send(hq, 1)
    held = {box.site: balance(hq, books.lease(account, box.site, 1)) for box in boxes}
    assert held == {"site-0": 1_000, "site-1": 1_000, "site-2": 1_000, "site-3": 1_000}
    boxes[1].sell(account, 300)
    boxes[1].send(hq, 2)  # a visit again: site-1 and site-3 are the last two now
    boxes[2].sell("somebody", 0)
    assert balance(hq, books.lease(account, "site-1", 1)) == 1_000


def test_grants_are_renewed_while_they_hold_value(hq: Headquarters) -> None:
    """Money never expires because a date did: at half its days a grant is signed anew, with a later end."""
    box, account = new_box(hq, "pudong-1"), open_account(hq, 10_000)
    box.accept(box.ask(hq, account, 2_000).grant)
    assert box.send(hq, 1).grants == []
    hq.clock.advance(16 * DAY_MS)
    (signed,) = box.send(hq, 2).grants
    assert (grant_of(signed).granted, grant_of(signed).serial) == (2_000, 1)
    assert grant_of(signed).issued_s == hq.clock.now_ms() // 1000


def test_a_reply_holds_no_more_grants_than_a_site_can_read(light_hq: Headquarters) -> None:
    """Thousands of customers at home at one site come in several replies."""
    hq, box = light_hq, new_box(light_hq, "pudong-1")
    with store.writing(hq.engine) as connection:
        ids = [f"A{n:08d}" for n in range(1_500)]
        columns = ("id", "class", "status", "home_site", "session_limit", "placed", "site_max", "opened_ms")
        rows = [(account, "person", "open", "pudong-1", 9, 5, 9, 0) for account in ids]
        bulk.insert(connection, schema.accounts, columns, rows)
        paid_in = [Change(Effect.PAID_IN, CNY, "cash", 9)]
        hqlog.append(connection, hq.keys, hq.clock, [Act(account, "", paid_in) for account in ids])
        assert grants.place(connection, hq.keys, hq.clock, ids) == {"pudong-1"}
    first = box.send(hq, 1).grants
    assert sum(map(len, first)) <= grants.REPLY_BYTES_MAX
    for signed in first:
        box.accept(signed)
    second = box.send(hq, 1).grants
    assert len(first) + len(second) == 1_500


# --- any order -------------------------------------------------------------------------------------------------------


class AnyOrder(RuleBasedStateMachine):
    """Two sites, two accounts; asks, sales, returns, top-ups and uploads in any order, some of them twice."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.hq = open_headquarters(f"sqlite:///{self.directory.name}/hq.db")
        self.paid = 0
        self.references = 0

    @initialize()
    def set_up(self) -> None:
        self.boxes = [new_box(self.hq, site) for site in ("s1", "s2")]
        self.accounts = [
            open_account(self.hq, 0, home="s1", placed=300, site_max=1_000),
            open_account(self.hq, 0, placed=0, site_max=1_000),
        ]
        self.rights = {(box.site, account): 0 for box in self.boxes for account in self.accounts}
        self.used = dict(self.rights)
        self.seen_grants: dict[tuple[str, str], int] = dict(self.rights)

    def teardown(self) -> None:
        self.hq.engine.dispose()
        self.directory.cleanup()

    def take(self, box: Box, signed: bytes) -> None:
        """A site's fold: G is the greatest ever seen."""
        grant = grant_of(signed)
        key = (box.site, grant.account)
        gained = max(0, grant.granted - self.seen_grants[key])
        self.seen_grants[key] += gained
        self.rights[key] += gained
        box.accept(signed)

    who = st.integers(0, 1)
    where = st.integers(0, 1)
    fen = st.integers(1, 700)

    @rule(who=who, amount=fen, again=st.booleans())
    def top_up(self, who: int, amount: int, again: bool) -> None:
        self.references += 1
        for _ in range(2 if again else 1):
            with store.writing(self.hq.engine) as connection:
                hq, account, reference = self.hq, self.accounts[who], str(self.references)
                accounts.top_up(connection, hq.keys, hq.clock, account, amount, channel="cash", reference=reference)
        self.paid += amount

    @rule(who=who, amount=fen)
    def pay_out(self, who: int, amount: int) -> None:
        self.references += 1
        try:
            with store.writing(self.hq.engine) as connection:
                hq, account, reference = self.hq, self.accounts[who], str(self.references)
                accounts.pay_out(connection, hq.keys, hq.clock, account, amount, channel="cash", reference=reference)
            self.paid -= amount
        except accounts.Denied:
            pass

    @rule(who=who, where=where, amount=fen, lost=st.booleans())
    def ask(self, who: int, where: int, amount: int, lost: bool) -> None:
        box, account = self.boxes[where], self.accounts[who]
        want = self.seen_grants[box.site, account] - self.rights[box.site, account] + amount
        reply = box.ask(self.hq, account, want)
        if reply.grant and not lost:
            self.take(box, reply.grant)

    @rule(who=who, where=where, amount=fen)
    def sell(self, who: int, where: int, amount: int) -> None:
        box, account = self.boxes[where], self.accounts[who]
        spent = min(amount, self.rights[box.site, account])
        if spent:
            self.rights[box.site, account] -= spent
            self.used[box.site, account] += spent
            box.sell(account, spent)

    @rule(who=who, where=where, amount=fen)
    def give_back(self, who: int, where: int, amount: int) -> None:
        box, account = self.boxes[where], self.accounts[who]
        returned = min(amount, self.rights[box.site, account])
        if returned:
            self.rights[box.site, account] -= returned
            box.give_back(account, returned)

    @rule(where=where, back=st.integers(0, 3), lost=st.booleans())
    def upload(self, where: int, back: int, lost: bool) -> None:
        box = self.boxes[where]
        table = schema.epochs
        with store.reading(self.hq.engine) as connection:
            size = connection.execute(sa.select(table.c.size).where(table.c.site == box.site)).scalar_one()
        reply = box.send(self.hq, max(0, size - back))
        for signed in reply.grants if not lost else []:
            self.take(box, signed)

    @invariant()
    def nothing_is_made_and_nothing_lost(self) -> None:
        """free + sum(G - U - R) + sum(U) = paid in - paid out, in the ledger and in the leases; nobody below zero."""
        with store.reading(self.hq.engine) as connection:
            rows = connection.execute(sa.select(schema.ledger)).all()
            leases = connection.execute(sa.select(schema.leases, schema.epochs.c.site).join(schema.epochs)).all()
            kept = connection.execute(sa.select(sa.func.count()).select_from(schema.quarantine)).scalar_one()
        held = {row.code: row.credits - row.debits for row in rows}
        free = sum(value for code, value in held.items() if code.startswith("cust:"))
        out = sum(lease.granted - lease.used - lease.returned for lease in leases)
        assert free + out + sum(lease.used for lease in leases) == self.paid
        assert out == sum(value for code, value in held.items() if code.startswith("lease:"))
        assert sum(held.values()) == 0
        assert kept == 0
        for lease in leases:
            key = (lease.site, lease.account)
            assert lease.used <= self.used[key]
            assert self.seen_grants[key] <= lease.granted


AnyOrder.TestCase.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
TestAnyOrder = AnyOrder.TestCase
