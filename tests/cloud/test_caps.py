"""How much may lie out, at a site, for an account, in the operator's own pool? And what time alone brings about."""

from __future__ import annotations

import pytest
from hq_box import Box, admit, balance, dump

from cloud import accounts, adjust, caps, epochs, grants, risk, store
from cloud.accounts import Done, Limits
from cloud.acts import Denied
from cloud.policy import Policy
from cloud.risk import Pool
from cloud.service import Headquarters
from cloud.tend import tend
from protocols.trade import books
from protocols.trade.grants import split
from protocols.trade.records import RISK, EpochClosed

DAY_MS = 86_400_000


def new_box(hq: Headquarters, site: str) -> Box:
    box = Box(site)
    admit(hq, box)
    box.enrol(hq)
    box.send(hq, 0)
    return box


def open_account(hq: Headquarters, fen: int, *, home: str | None = None, placed: int = 0) -> str:
    with store.writing(hq.engine) as connection:
        limits = Limits(session_limit=8_000, placed=placed, site_max=20_000)
        account = accounts.open_account(connection, hq.keys, hq.clock, home_site=home, limits=limits)
        accounts.top_up(connection, hq.keys, hq.clock, account, fen, channel="wechat", reference=f"first-{account}")
    return account


def fund(hq: Headquarters, fen: int, reference: str = "pool-1", site: str = "s1", limit: int = 3_000) -> Done:
    with store.writing(hq.engine) as connection:
        return risk.fund(connection, hq.keys, hq.clock, site, fen, session_limit=limit, reference=reference)


def pools(hq: Headquarters) -> list[Pool]:
    with store.reading(hq.engine) as connection:
        return risk.pools(connection)


# --- caps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ([], None),
        ([(0, 500)], None),
        ([(900, 500)], 400),
        ([(900, 500), (0, 9)], 400),
        ([(900, 500), (300, 100)], 200),
        ([(300, 500)], -200),
    ],
    ids=["none", "no cap", "one", "one of two", "the tighter", "lowered under what is out"],
)
def test_what_caps_leave(limits: list[tuple[int, int]], left: int | None) -> None:
    """The least of what each leaves; None where nothing is capped."""
    assert caps.room(*limits) == left
    assert grants.raise_for(1_000, 0, 0, 1_000, 1_000, left) == (1_000 if left is None else max(0, left))
    assert grants.raise_to_place(1_000, 0, 1_000, left) == (1_000 if left is None else max(0, left))


def test_a_site_holds_no_more_than_its_cap(hq: Headquarters) -> None:
    """Of all customers, over all its epochs, placed or asked for; what comes back makes room again."""
    box = new_box(hq, "s1")
    with store.writing(hq.engine) as connection:
        caps.set_for_site(connection, "s1", 1_000)
    first, second = open_account(hq, 5_000, home="s1", placed=600), open_account(hq, 5_000, home="s1", placed=600)
    assert sum(balance(hq, books.lease(account, "s1", 1)) for account in (first, second)) == 1_000
    stored = box.ask(hq, first, 3_000)
    assert split(stored.grant)[0].granted == 600
    for signed in box.send(hq, 1).grants:
        box.accept(signed)
    box.give_back(first, 500)
    box.send(hq, 1)
    box.ask(hq, second, 3_000)
    assert balance(hq, books.lease(second, "s1", 1)) == 900
    later = new_box(hq, "s1")
    assert later.ask(hq, second, 3_000).refusal == "no-funds"


def test_an_account_has_no_more_out_than_its_cap(hq: Headquarters) -> None:
    """At all sites together; the site's own maximum holds beside it."""
    one, other = new_box(hq, "s1"), new_box(hq, "s2")
    account = open_account(hq, 50_000)
    with store.writing(hq.engine) as connection:
        caps.set_for_account(connection, account, 2_500)
    one.ask(hq, account, 2_000)
    other.ask(hq, account, 2_000)
    assert [balance(hq, books.lease(account, site, 1)) for site in ("s1", "s2")] == [2_000, 500]
    with pytest.raises(Denied, match="no account"), store.writing(hq.engine) as connection:
        caps.set_for_account(connection, "nobody", 1)
    with pytest.raises(Denied, match="no site"), store.writing(hq.engine) as connection:
        caps.set_for_site(connection, "", 1)


# --- the operator's own money ----------------------------------------------------------------------------------------


def test_a_pool_is_a_grant_that_stays(hq: Headquarters) -> None:
    """Funded once for each reference; nobody's card opens it by itself, and none of it has to be returned."""
    box = new_box(hq, "s1")
    first = fund(hq, 5_000)
    assert fund(hq, 5_000) == Done(first.serial, True, frozenset())
    fund(hq, 1_000, "pool-2", limit=2_000)
    grant = split(box.send(hq, 1).grants[-1])[0]
    assert (grant.account, grant.granted, grant.session_limit) == (RISK, 6_000, 2_000)
    assert (grant.may_stay, grant.credentials) == (6_000, [])
    assert balance(hq, books.OPERATOR_RISK) == -6_000
    assert pools(hq) == [Pool("s1", 1, 6_000, 0, 6_000)]
    with pytest.raises(Denied, match="another act"):
        fund(hq, 4_999)


def test_what_a_pool_pays_is_the_operators_until_it_is_charged(hq: Headquarters) -> None:
    """Drawn, recovered from whoever drew it, the rest given back at the end of the log: the operator has lost what was
    not recovered.
    """
    box, account = new_box(hq, "s1"), open_account(hq, 3_000)
    fund(hq, 5_000)
    box.accept(box.send(hq, 1).grants[0])
    drawn = box.sell(RISK, 1_200)
    box.send(hq, 1)
    assert pools(hq) == [Pool("s1", 1, 5_000, 1_200, 3_800)]
    with store.writing(hq.engine) as connection:
        because, reference = f"s1/1/{drawn}", "adj-1"
        adjust.charge(connection, hq.keys, hq.clock, account, 700, because=because, why="drawn", reference=reference)
    box.give_back(RISK, 800)
    box.add(EpochClosed("over"))
    box.send(hq, 1)
    assert balance(hq, books.OPERATOR_RISK) == -1_200 + 700
    assert balance(hq, books.cust(RISK)) == 0
    assert balance(hq, books.cust(account)) == 2_300
    assert balance(hq, books.revenue("s1")) == 1_200


def test_a_pool_is_never_lent_and_never_capped(hq: Headquarters) -> None:
    """It is the operator's own: a site's cap counts customers' money, and a lost box's pool is just lost."""
    box, account = new_box(hq, "s1"), open_account(hq, 3_000)
    with store.writing(hq.engine) as connection:
        caps.set_for_site(connection, "s1", 1_000)
    fund(hq, 5_000)
    box.ask(hq, account, 1_000)
    assert balance(hq, books.lease(account, "s1", 1)) == 1_000
    with store.writing(hq.engine) as connection:
        epochs.mark_lost(connection, hq.keys, hq.clock, "s1", 1, "burnt")
        lent = epochs.lend(connection, hq.keys, hq.clock, "s1", 1)
    assert {held.account for held in lent} == {account}


@pytest.mark.parametrize(("fen", "site", "text"), [(0, "s1", "amounts of 1"), (100, "nowhere", "has no epoch")])
def test_what_is_not_funded(hq: Headquarters, fen: int, site: str, text: str) -> None:
    """A slip of the finger, a site without a box."""
    new_box(hq, "s1")
    before = dump(hq)
    with pytest.raises(Denied, match=text):
        fund(hq, fen, site=site)
    assert dump(hq) == before


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_lost_epoch_is_lent_when_its_days_are_over(hq: Headquarters) -> None:
    """Policy says after how many days from a person's word; 0 says never; doing it again lends nothing."""
    box, account = new_box(hq, "s1"), open_account(hq, 3_000)
    box.ask(hq, account, 1_000)
    with store.writing(hq.engine) as connection:
        epochs.mark_lost(connection, hq.keys, hq.clock, "s1", 1, "burnt")
    hq.clock.advance(7 * DAY_MS - 1)
    done = [tend(hq.engine, hq.keys, hq.clock, Policy(loan_after_days=days)).epochs_lent for days in (0, 7)]
    assert done == [[], []]
    hq.clock.advance(1)
    done = [tend(hq.engine, hq.keys, hq.clock, Policy(loan_after_days=days)).epochs_lent for days in (0, 7, 7)]
    assert done == [[], ["s1/1"], []]
    assert balance(hq, books.cust(account)) == 3_000
