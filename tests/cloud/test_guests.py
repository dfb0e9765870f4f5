"""A payment by phone for one session: what the site gets, what comes back, and that every fen is somewhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hq_box import Box, admit, balance, dump
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud import accounts, balances, guests, refunds, schema, store
from cloud.acts import Denied
from cloud.clock import SetClock
from cloud.guests import Paid
from cloud.refunds import Refund
from cloud.service import Headquarters
from protocols.proof.ed25519 import public_of
from protocols.trade import books, carried, grants
from protocols.trade.books import OPERATOR_RISK
from protocols.trade.records import CNY, Effect, EpochClosed, Hold, Preset, ValueReturned
from protocols.trade.tender import MONEY_ALONE, draw

HOUR_MS = 3_600_000


@pytest.fixture
def box(hq: Headquarters) -> Box:
    return a_box(hq)


def a_box(hq: Headquarters, site: str = "S1") -> Box:
    box = Box(site)
    admit(hq, box)
    box.enrol(hq)
    box.send(hq, 0)
    return box


def pay(hq: Headquarters, reference: str = "wx-1", amount: int = 4_000, site: str = "S1") -> Paid:
    with store.writing(hq.engine) as connection:
        return guests.pay(
            connection,
            hq.keys,
            hq.clock,
            channel="wechat",
            reference=reference,
            amount=amount,
            site=site,
            connector="bay-1",
        )


def serve(box: Box, hq: Headquarters, paid: Paid, used: int) -> None:
    """The box takes the code in, sells for `used` fen and returns the rest, all in its log."""
    assert paid.code is not None
    code = carried.read(paid.code.text)
    box.accept(code.grant_bytes)
    if used:
        box.sell(paid.account, used)
    if code.grant.granted > used:
        box.give_back(paid.account, code.grant.granted - used)


def send(box: Box, hq: Headquarters) -> None:
    box.send(hq, 0)


def tend(hq: Headquarters, after_h: int = 48) -> guests.Tended:
    return guests.tend(hq.engine, hq.keys, hq.clock, after_h)


def due(hq: Headquarters) -> list[Refund]:
    with store.reading(hq.engine) as connection:
        return refunds.show_all(connection)


def advance(hq: Headquarters, hours: float) -> None:
    assert isinstance(hq.clock, SetClock)
    hq.clock.advance(int(hours * HOUR_MS))


def free(hq: Headquarters, paid: Paid) -> int:
    return balance(hq, books.cust(paid.account))


def sound(hq: Headquarters) -> None:
    """Debits are credits, nobody is below zero, and each lease is what is left of its grant."""
    with store.reading(hq.engine) as connection:
        rows = connection.execute(sa.select(schema.ledger))
        held = {(row.code, row.asset): books.Balance(row.debits, row.credits) for row in rows}
        assert books.breaches(held) == []
        assert balances.of(connection, CNY).remainder == 0
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.quarantine)).scalar_one() == 0


def test_a_payment_becomes_a_code_that_starts_once(hq: Headquarters, box: Box) -> None:
    """One account without a card, all of the payment at one site, and start number 1 for the connector paid for."""
    paid = pay(hq)
    assert paid.code is not None
    code = carried.read(paid.code.text)
    carried.verify(code, public_of(hq.keys.grant))
    carried.require_for(code, "S1", box.epoch)
    assert (code.grant.granted, code.grant.session_limit, code.grant.may_stay) == (4_000, 4_000, 0)
    assert code.grant.credentials == []
    assert code.start is not None
    assert (code.start.connector, code.start.number, code.start.preset) == ("bay-1", 1, Preset("full", 0))
    assert balance(hq, books.lease(paid.account, "S1", box.epoch)) == 4_000
    assert free(hq, paid) == 0
    assert box.send(hq, 0).grants == [code.grant_bytes]  # with a link the site has the grant before the guest is there


def test_a_payment_is_taken_once(hq: Headquarters, box: Box) -> None:
    """The channel tells us twice: the same code, and nothing has changed. Its number for another session is refused."""
    paid = pay(hq)
    before = dump(hq)
    again = pay(hq)
    assert again.repeated
    assert (again.account, again.code.text if again.code else "") == (paid.account, paid.code.text if paid.code else "")
    assert dump(hq) == before
    with pytest.raises(Denied, match="another session"):
        pay(hq, amount=4_001)
    assert dump(hq) == before


def test_a_top_up_is_no_payment_of_a_guest(hq: Headquarters, box: Box) -> None:
    """A channel's number stands for one payment, whatever it was for; nothing of the refused one stays behind."""
    with store.writing(hq.engine) as connection:
        account = accounts.open_account(connection, hq.keys, hq.clock, home_site=None)
        accounts.top_up(connection, hq.keys, hq.clock, account, 4_000, channel="wechat", reference="wx-1")
    before = dump(hq)
    with pytest.raises(Denied, match="wx-1"):
        pay(hq)
    assert dump(hq) == before


@pytest.mark.parametrize("used", [0, 1, 1_234, 3_999, 4_000])
def test_what_was_not_used_is_owed_back(hq: Headquarters, box: Box, used: int) -> None:
    """In the transaction that brings the end of the session: there is no moment at which it could be spent."""
    paid = pay(hq)
    serve(box, hq, paid, used)
    send(box, hq)
    assert [(one.amount, one.payment, one.why) for one in due(hq)] == [(4_000 - used, "wx-1", "unused")] * (
        used < 4_000
    )
    assert balance(hq, books.refund("wechat")) == 4_000 - used
    assert balance(hq, books.revenue("S1")) == used
    assert free(hq, paid) == 0
    with store.reading(hq.engine) as connection:
        assert guests.show_waiting(connection) == []
    before = dump(hq)
    send(box, hq)
    assert dump(hq)["refunds"] == before["refunds"]
    sound(hq)


def test_one_payment_is_for_one_session(hq: Headquarters, box: Box) -> None:
    """No card, no top-up, no other code; and what comes back is not granted again, however the site asks."""
    paid = pay(hq)
    for act in (
        lambda c: accounts.add_card(c, hq.keys, hq.clock, paid.account, "04A1B2C3"),
        lambda c: accounts.top_up(c, hq.keys, hq.clock, paid.account, 100, channel="wechat", reference="wx-2"),
    ):
        with pytest.raises(Denied, match="guest"), store.writing(hq.engine) as connection:
            act(connection)
    serve(box, hq, paid, 1_000)
    send(box, hq)
    reply = box.ask(hq, paid.account, 8_000)
    assert grants.split(reply.grant)[0].granted == 4_000
    assert balance(hq, books.refund("wechat")) == 3_000


@pytest.mark.parametrize(("amount", "says"), [(0, "amount"), (-1, "amount"), (10**12, "amount")])
def test_a_payment_is_an_amount(hq: Headquarters, box: Box, amount: int, says: str) -> None:
    """A slip of the finger books nothing."""
    before = dump(hq)
    with pytest.raises(Denied, match=says):
        pay(hq, amount=amount)
    assert dump(hq) == before


def test_a_channel_that_tells_us_several_times_at_once(hq: Headquarters, box: Box) -> None:
    """Its callbacks come in parallel: one account, one grant, the same code for all."""
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: pay(hq), range(8)))
    assert len({paid.account for paid in told}) == 1
    assert len({paid.code.text for paid in told if paid.code is not None}) == 1
    assert sum(not paid.repeated for paid in told) == 1
    assert balance(hq, books.lease(told[0].account, "S1", box.epoch)) == 4_000
    sound(hq)


def test_a_refund_is_paid_back_once(hq: Headquarters, box: Box) -> None:
    """Its own number goes to the channel; saying twice what the channel answered changes nothing."""
    paid = pay(hq)
    serve(box, hq, paid, 1_000)
    send(box, hq)
    (one,) = due(hq)
    assert one.reference == "wx-1-r1"

    def done(number: str) -> bool:
        with store.writing(hq.engine) as connection:
            return refunds.done(connection, hq.keys, hq.clock, one.reference, number)

    assert done("50001")
    before = dump(hq)
    assert not done("50001")
    with pytest.raises(Denied, match="paid back as 50001"):
        done("50002")
    with pytest.raises(Denied, match="no refund"), store.writing(hq.engine) as connection:
        refunds.done(connection, hq.keys, hq.clock, "wx-9-r1", "50003")
    assert dump(hq) == before
    assert due(hq) == []
    assert balance(hq, books.refund("wechat")) == 0
    assert balance(hq, books.channel("wechat")) == -1_000  # 40.00 in, 30.00 out: what is left has been sold
    sound(hq)


def test_one_number_of_the_channel_is_one_refund(hq: Headquarters, box: Box) -> None:
    """Typed in for the wrong one, it is refused."""
    for reference in ("wx-1", "wx-2"):
        serve(box, hq, pay(hq, reference), 1_000)
    send(box, hq)
    first, second = due(hq)
    with store.writing(hq.engine) as connection:
        refunds.done(connection, hq.keys, hq.clock, first.reference, "50001")
    with pytest.raises(Denied, match=first.reference), store.writing(hq.engine) as connection:
        refunds.done(connection, hq.keys, hq.clock, second.reference, "50001")


def test_a_site_that_cannot_serve_takes_no_payment(hq: Headquarters, box: Box) -> None:
    """The money has come all the same: it is owed back at once, and a repeat says so again."""
    admit(hq, Box("S2"))  # its box has never enrolled
    paid = pay(hq, site="S2")
    assert (paid.code, paid.refund) == (None, "wx-1-r1")
    assert [(one.amount, one.why) for one in due(hq)] == [(4_000, "not-granted")]
    again = pay(hq, site="S2")
    assert (again.code, again.refund, again.repeated) == (None, "wx-1-r1", True)
    assert len(due(hq)) == 1
    sound(hq)


def test_a_code_that_nobody_uses_is_undone(hq: Headquarters, box: Box) -> None:
    """Two hours later the account is frozen; its site hears of it, returns all, and the guest is owed everything."""
    paid = pay(hq)
    assert paid.code is not None
    assert tend(hq).expired == []
    advance(hq, 2.1)
    tended = tend(hq)
    assert (tended.expired, tended.sites) == ([paid.account], frozenset({"S1"}))
    assert tend(hq).expired == []
    (frozen,) = box.send(hq, 0).grants
    grant, _, _ = grants.split(frozen)
    assert (grant.granted, grant.session_limit, grant.credentials) == (4_000, 0, [])
    box.accept(frozen)
    box.give_back(paid.account, 4_000)
    send(box, hq)
    assert [one.amount for one in due(hq)] == [4_000]
    sound(hq)


@pytest.mark.parametrize("used", [0, 1, 1_500, 4_000])
def test_a_silent_site_costs_the_operator_and_not_the_guest(hq: Headquarters, box: Box, used: int) -> None:
    """After 48 hours the guest gets everything; what the box turns out to have delivered is the operator's loss."""
    paid = pay(hq)
    serve(box, hq, paid, used)  # in a log that nobody can fetch
    advance(hq, 47.9)
    assert tend(hq).lent == []
    advance(hq, 0.2)
    assert tend(hq).lent == ["wx-1-r1"]
    assert tend(hq).lent == []
    assert (due(hq)[0].amount, due(hq)[0].why) == (4_000, "silent-site")
    assert balance(hq, OPERATOR_RISK) == -4_000
    assert free(hq, paid) == 0
    sound(hq)

    send(box, hq)
    assert balance(hq, OPERATOR_RISK) == -used
    assert balance(hq, books.revenue("S1")) == used
    assert [one.amount for one in due(hq)] == [4_000]
    assert free(hq, paid) == 0
    with store.reading(hq.engine) as connection:
        assert guests.show_waiting(connection) == []
    sound(hq)


def test_a_site_that_is_heard_is_waited_for(hq: Headquarters, box: Box) -> None:
    """Its own log will say what became of the session: a held one may take days until its meter answers."""
    pay(hq)
    for _ in range(4):
        advance(hq, 30)
        send(box, hq)
        assert tend(hq).lent == []
    advance(hq, 48)
    assert tend(hq).lent == ["wx-1-r1"]


def test_never_is_never(hq: Headquarters, box: Box) -> None:
    """guest_refund_after_h = 0."""
    pay(hq)
    advance(hq, 10_000)
    assert tend(hq, 0).lent == []


def test_an_epoch_that_closes_frees_a_payment_it_never_saw(hq: Headquarters, box: Box) -> None:
    """The box is exchanged before the guest comes: CLOSE frees the grant, and the guest is owed it."""
    paid = pay(hq)
    box.add(EpochClosed("exchanged"))
    send(box, hq)
    assert [one.amount for one in due(hq)] == [4_000]
    assert free(hq, paid) == 0
    sound(hq)


def test_a_loan_and_then_the_end_of_the_epoch(hq: Headquarters, box: Box) -> None:
    """The guest has been paid by the operator; what CLOSE frees is the operator's."""
    pay(hq)
    advance(hq, 50)
    tend(hq)
    box.add(EpochClosed("found in a drawer"))
    send(box, hq)
    assert balance(hq, OPERATOR_RISK) == 0
    assert [one.amount for one in due(hq)] == [4_000]
    sound(hq)


STORED, PAID = 6_000, 4_000


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.sampled_from([0, 1, 5_999, 6_000, 6_001, 9_999, 10_000]), st.integers(0, STORED + PAID)), st.booleans()
)
def test_a_mixed_payment_adds_up_for_every_stopping_fen(light_hq: Headquarters, stop: int, silent: bool) -> None:
    """60.00 stored, then 40.00 just paid: bill = captures, and what is not captured is free or owed back."""
    hq = light_hq
    box = a_box(hq, f"M-{uuid4().hex[:12]}")
    start = {code: balance(hq, code) for code in (books.refund("wechat"), OPERATOR_RISK, books.channel("wechat"))}
    with store.writing(hq.engine) as connection:
        account = accounts.open_account(
            connection, hq.keys, hq.clock, home_site=box.site, limits=accounts.Limits(STORED, STORED, STORED)
        )
        accounts.top_up(connection, hq.keys, hq.clock, account, STORED, channel="wechat", reference=f"t-{box.site}")
    paid = pay(hq, f"g-{box.site}", PAID, box.site)
    if silent:
        advance(hq, 49)
        tend(hq)
    holds = [Hold(account, CNY, STORED), Hold(paid.account, CNY, PAID)]
    captured = [one.units for one in draw({"energy": stop}, holds, MONEY_ALONE).captures]
    moves = [box.move(Effect.USED, who, fen) for who, fen in zip((account, paid.account), captured, strict=True) if fen]
    box.add(ValueReturned(account, CNY), moves)
    for who, fen in zip((account, paid.account), (STORED - captured[0], PAID - captured[1]), strict=True):
        if fen:
            box.give_back(who, fen)
    send(box, hq)

    change = {code: balance(hq, code) - was for code, was in start.items()}
    assert balance(hq, books.revenue(box.site)) == sum(captured) == stop
    left_stored = balance(hq, books.cust(account)) + balance(hq, books.lease(account, box.site, box.epoch))
    assert left_stored == STORED - captured[0]
    assert free(hq, paid) == balance(hq, books.lease(paid.account, box.site, box.epoch)) == 0
    lost = captured[1] if silent else 0
    assert change[OPERATOR_RISK] == -lost
    assert change[books.refund("wechat")] == PAID - captured[1] + lost
    assert (
        -change[books.channel("wechat")] == STORED + PAID == stop + left_stored + change[books.refund("wechat")] - lost
    )
    sound(hq)
