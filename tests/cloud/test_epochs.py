"""The life of a log: it closes, is lost, comes back, is followed by another. Every fen stays in some account."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hq_box import Box, admit, balance, dump, refused

from cloud import accounts, epochs, loans, schema, store
from cloud.accounts import Denied, Limits
from cloud.epochs import EpochNow
from cloud.loans import Held
from cloud.service import Headquarters
from protocols.proof import checkpoint
from protocols.trade import books, wire
from protocols.trade.codec import decode
from protocols.trade.records import CNY, EpochClosed, EpochMarked, Notice, Record, body_of
from protocols.trade.wire import RefusalCode

SITE = "pudong-1"


def open_account(hq: Headquarters, fen: int) -> str:
    with store.writing(hq.engine) as connection:
        limits = Limits(session_limit=20_000, placed=0, site_max=20_000)
        account = accounts.open_account(connection, hq.keys, hq.clock, home_site=None, limits=limits)
        accounts.top_up(connection, hq.keys, hq.clock, account, fen, channel="wechat", reference=f"first-{account}")
    return account


@pytest.fixture
def box(hq: Headquarters) -> Box:
    """An enrolled box that has reported."""
    made = Box(SITE)
    admit(hq, made)
    made.enrol(hq)
    made.send(hq, 0)
    return made


@pytest.fixture
def account(hq: Headquarters, box: Box) -> str:
    """100 yuan, 50 of them granted to the box, which knows it."""
    made = open_account(hq, 10_000)
    box.accept(box.ask(hq, made, 5_000).grant)
    box.send(hq, 0)
    return made


def lose(hq: Headquarters, epoch: int = 1) -> bool:
    with store.writing(hq.engine) as connection:
        return epochs.mark_lost(connection, hq.keys, hq.clock, SITE, epoch, "stolen")


def find(hq: Headquarters, epoch: int = 1) -> bool:
    with store.writing(hq.engine) as connection:
        return epochs.mark_found(connection, hq.keys, hq.clock, SITE, epoch)


def lend(hq: Headquarters, epoch: int = 1, account: str | None = None) -> dict[Held, int]:
    with store.writing(hq.engine) as connection:
        return epochs.lend(connection, hq.keys, hq.clock, SITE, epoch, account)


def now(hq: Headquarters, epoch: int = 1) -> EpochNow:
    with store.reading(hq.engine) as connection:
        return epochs.show_all(connection, hq.clock.now_ms(), SITE)[epoch - 1]


def ledger(hq: Headquarters, account: str, epoch: int = 1) -> dict[str, int]:
    """Where this account's money and the operator's stand, in fen; only what is not 0."""
    codes = {
        "free": books.cust(account),
        "lease": books.lease(account, SITE, epoch),
        "revenue": books.revenue(SITE),
        "operator": books.OPERATOR_RISK,
        "suspense": books.QUARANTINE,
    }
    return {name: held for name, code in codes.items() if (held := balance(hq, code))}


def marks(hq: Headquarters) -> list[tuple[int, str]]:
    """(epoch, state) of each mark in headquarters' own log."""
    table, heads = schema.records, schema.epochs
    with store.reading(hq.engine) as connection:
        query = sa.select(table.c.bytes).join(heads, heads.c.id == table.c.log).where(heads.c.site == books.HQ)
        found = connection.scalars(query.where(table.c.kind == "epoch-marked").order_by(table.c.seq)).all()
    bodies = [body_of(decode(leaf, Record)) for leaf in found]
    return [(body.epoch, body.state) for body in bodies if isinstance(body, EpochMarked)]


# --- CLOSE -----------------------------------------------------------------------------------------------------------


def test_a_close_frees_what_the_log_left_over(hq: Headquarters, box: Box, account: str) -> None:
    """What was granted and not used goes back to the customer in the very transaction that stores the CLOSE; and so
    does what was granted and never reached the box.
    """
    box.sell(account, 1_200)
    box.ask(hq, account, 7_000)  # the answer is lost
    box.add(EpochClosed("replaced"))
    reply = box.send(hq, 0)
    assert checkpoint.parse(reply.cosigned).size == len(box.leaves)
    assert reply.grants == []
    assert ledger(hq, account) == {"free": 8_800, "revenue": 1_200}
    assert (now(hq).state, now(hq).why, now(hq).held_fen) == ("closed", "replaced", 0)
    assert marks(hq) == [(1, "closed")]


def test_a_close_that_comes_again_changes_nothing(hq: Headquarters, box: Box, account: str) -> None:
    """The reply was lost: the same bytes are answered, and nothing is freed twice."""
    box.add(EpochClosed("replaced"))
    first = box.send(hq, 0)
    before = ledger(hq, account), marks(hq)
    assert box.send(hq, 0).cosigned == first.cosigned
    assert box.send(hq, len(box.leaves)).cosigned == first.cosigned
    assert (ledger(hq, account), marks(hq)) == before


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in the next batch"])
def test_nothing_follows_a_close(hq: Headquarters, box: Box, account: str, together: bool) -> None:
    """A record after it is refused, and kept as evidence; what was freed stays freed, once."""
    box.add(EpochClosed("replaced"))
    if not together:
        box.send(hq, 0)
    box.sell(account, 100)
    refusal = refused(hq.answer(box.request(wire.PATH_BATCH, box.batch(0))))
    assert refusal.code == RefusalCode.NOT_CANONICAL
    assert "the log ended with record 2, its CLOSE" in refusal.got
    assert balance(hq, books.revenue(SITE)) == 0
    with store.reading(hq.engine) as connection:
        kept = connection.execute(sa.select(schema.quarantine)).one()
    assert (kept.seq, kept.code) == (None, RefusalCode.NOT_CANONICAL)


def test_a_closed_log_gets_no_grants(hq: Headquarters, box: Box, account: str) -> None:
    """Neither when it asks nor by a signature that is renewed."""
    box.add(EpochClosed("replaced"))
    box.send(hq, 0)
    hq.clock.advance(20 * 86_400_000)
    assert box.send(hq, len(box.leaves)).grants == []
    refusal = refused(hq.answer(box.request(wire.PATH_GRANT, box.grant_ask(account, 9_000))))
    assert refusal.code == RefusalCode.EPOCH_FROZEN


# --- a lost box ------------------------------------------------------------------------------------------------------


def test_a_lost_box_gets_nothing_and_keeps_what_it_held(hq: Headquarters, box: Box, account: str) -> None:
    """Marking it lost moves no money: what may be out there stays in its leases."""
    assert lose(hq)
    assert not lose(hq)
    assert ledger(hq, account) == {"free": 5_000, "lease": 5_000}
    assert (now(hq).state, now(hq).held_fen, now(hq).accounts) == ("lost", 5_000, 1)
    refusal = refused(hq.answer(box.request(wire.PATH_GRANT, box.grant_ask(account, 9_000))))
    assert (refusal.code, refusal.got) == (RefusalCode.EPOCH_FROZEN, "lost")
    assert find(hq)
    assert not find(hq)
    assert box.ask(hq, account, 6_000).grant
    assert marks(hq) == [(1, "lost"), (1, "open")]


STORIES: dict[str, tuple[list[tuple[str, int]], dict[str, int]]] = {
    "never seen again": ([], {"free": 10_000, "lease": 5_000, "operator": -5_000}),
    "all comes back": ([("return", 5_000)], {"free": 10_000}),
    "part comes back": ([("return", 2_000)], {"free": 10_000, "lease": 3_000, "operator": -3_000}),
    "all was sold": ([("sell", 5_000)], {"free": 10_000, "revenue": 5_000, "operator": -5_000}),
    "part sold, part returned": (
        [("sell", 1_500), ("return", 3_500)],
        {"free": 10_000, "revenue": 1_500, "operator": -1_500},
    ),
    "closed with everything": ([("close", 0)], {"free": 10_000}),
    "sold, returned, closed": (
        [("sell", 1_500), ("return", 500), ("close", 0)],
        {"free": 10_000, "revenue": 1_500, "operator": -1_500},
    ),
}


@pytest.mark.parametrize(("acts", "expected"), STORIES.values(), ids=STORIES.keys())
@pytest.mark.parametrize("again", [False, True], ids=["once", "every batch twice"])
def test_a_loan_and_what_becomes_of_it(
    hq: Headquarters, box: Box, account: str, acts: list[tuple[str, int]], expected: dict[str, int], again: bool
) -> None:
    """50 yuan of 100 lie at a box that is lost; the customer is paid by the operator; then the log tells more. The
    customer never has less than was paid in less what was used, and the operator loses at most what was used twice.
    """
    lose(hq)
    assert lend(hq) == {Held(account, CNY): 5_000}
    assert lend(hq) == {}
    for verb, fen in acts:
        if verb == "sell":
            box.sell(account, fen)
        elif verb == "return":
            box.give_back(account, fen)
        else:
            box.add(EpochClosed("found again"))
        for _ in range(2 if again else 1):
            box.send(hq, len(box.leaves) - 1)
        assert lend(hq) == {} if now(hq).state == "lost" else now(hq).held_fen == 0
    assert ledger(hq, account) == expected
    assert sum(ledger(hq, account).values()) == 10_000


def test_a_late_return_is_a_loan_back_only_as_far_as_one_stands_out(hq: Headquarters, box: Box, account: str) -> None:
    """Found again, the box is granted more: what it returns pays the loan first, and the rest is the customer's."""
    lose(hq)
    lend(hq)
    find(hq)
    box.accept(box.ask(hq, account, 8_000).grant)
    box.give_back(account, 6_000)
    box.send(hq, 0)
    assert ledger(hq, account) == {"free": 8_000, "lease": 2_000}


def test_a_loan_to_one_account_leaves_the_others(hq: Headquarters, box: Box, account: str) -> None:
    """The desk pays whoever asks; the others are paid later, and nobody twice."""
    other = open_account(hq, 1_000)
    box.accept(box.ask(hq, other, 700).grant)
    box.send(hq, 0)
    lose(hq)
    assert lend(hq, account=other) == {Held(other, CNY): 700}
    assert lend(hq) == {Held(account, CNY): 5_000}
    assert lend(hq) == {}
    assert now(hq).lent_fen == 5_700


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda hq: lend(hq), "pudong-1/1 is open"),
        (lambda hq: lend(hq, 2), "no epoch 2"),
        (lambda hq: lose(hq, 2), "no epoch 2"),
    ],
)
def test_what_is_denied(hq: Headquarters, box: Box, account: str, act: object, text: str) -> None:
    """A loan needs a lost or frozen epoch; nothing has changed."""
    before = dump(hq)
    with pytest.raises(Denied, match=text):
        act(hq)  # type: ignore[operator]  # parametrised
    assert dump(hq) == before


def test_a_closed_epoch_is_neither_lost_nor_found(hq: Headquarters, box: Box) -> None:
    """It has said its last word."""
    box.add(EpochClosed("replaced"))
    box.send(hq, 0)
    for act in (lose, find):
        with pytest.raises(Denied, match="closed"):
            act(hq)


# --- a new epoch -----------------------------------------------------------------------------------------------------


def test_an_older_epoch_tells_late_and_gets_nothing(hq: Headquarters, box: Box, account: str) -> None:
    """A new disk begins a new epoch; what the old one sold still posts, and its CLOSE frees the rest."""
    later = Box(SITE)
    admit(hq, later)
    later.enrol(hq)
    later.send(hq, 0)
    assert (later.epoch, now(hq, 1).superseded, now(hq, 2).superseded) == (2, True, False)
    box.sell(account, 900)
    box.send(hq, 0)
    assert balance(hq, books.revenue(SITE)) == 900
    box.add(Notice("moved", "disk", ""))
    box.add(EpochClosed("new disk"))
    box.send(hq, 0)
    assert ledger(hq, account) == {"free": 9_100, "revenue": 900}
    assert now(hq, 1).state == "closed"


def test_a_loan_is_of_one_log_alone() -> None:
    """Counters of other places and effects say nothing of it."""
    key = books.CounterKey
    counters = {
        key("loaned", "A", CNY, "s/1"): 500,
        key("charged", "A", CNY, "s/1"): 120,
        key("repaid", "A", CNY, "s/1"): 80,
        key("loaned", "A", CNY, "s/2"): 9_000,
        key("charged", "A", CNY, "@s/1"): 7_000,
        key("granted", "A", CNY, "s/1"): 7_000,
        key("paid-in", "A", CNY, "wechat"): 7_000,
    }
    assert loans.outstanding(counters, "s/1") == {Held("A", CNY): 300}
