"""Plans of swaps: sold once, placed in shares, topped up and never added to, and over when they are over."""

from __future__ import annotations

import pytest
from hq_box import NOON_MS, balance
from hypothesis import given
from hypothesis import strategies as st
from shop_box import ShopBox, rider

from cloud import accounts, plans, store
from cloud.acts import Denied
from cloud.clock import SetClock
from cloud.plans import Plan, Sold
from cloud.service import Headquarters
from protocols.trade.grants import Grant, split

DAY_S = 86_400
END_S = NOON_MS // 1000 + 30 * DAY_S


def sell(hq: Headquarters, plan: Plan, price_fen: int = 29_900, channel: str | None = "wechat") -> Sold:
    with store.writing(hq.engine) as connection:
        return plans.sell(connection, hq.keys, hq.clock, plan, price_fen=price_fen, channel=channel)


def tend(hq: Headquarters, days: float = 0) -> plans.Tended:
    assert isinstance(hq.clock, SetClock)
    hq.clock.advance(int(days * 86_400_000))
    return plans.tend(hq.engine, hq.keys, hq.clock)


def started(hq: Headquarters, *names: str) -> list[ShopBox]:
    boxes = [ShopBox(name) for name in names]
    for box in boxes:
        box.start(hq)
        box.send(hq, 0)
    return boxes


def granted(box: ShopBox, hq: Headquarters, asset: str) -> Grant | None:
    """The newest grant of this asset that waits for the box."""
    found = [split(signed)[0] for signed in box.send(hq, 0).grants]
    return max((it for it in found if it.asset == asset), key=lambda it: it.serial, default=None)


@pytest.mark.parametrize(
    ("daily", "sites", "shares"),
    [(12, 2, [6, 6]), (5, 2, [3, 2]), (7, 3, [3, 2, 2]), (1, 3, [1, 0, 0]), (4, 0, [])],
)
def test_the_daily_swaps_are_split_among_the_sites(daily: int, sites: int, shares: list[int]) -> None:
    """Equal parts that add up; an odd one goes to the sites named first."""
    plan = Plan("p", "ann", "pass", 0, daily, tuple(f"s{number}" for number in range(sites)), END_S)
    assert list(plan.shares.values()) == shares


@given(st.integers(0, 288), st.integers(1, 50))
def test_shares_always_add_up(daily: int, sites: int) -> None:
    """To the last swap, and no two differ by more than one."""
    shares = Plan("p", "ann", "pass", 0, daily, tuple(map(str, range(sites))), END_S).shares.values()
    assert sum(shares) == daily
    assert max(shares) - min(shares) <= 1


def test_a_plan_of_so_many_swaps(hq: Headquarters) -> None:
    """Paid at once or from free money; its units are the account's, its price is kept apart until they are used."""
    (north,) = started(hq, "north")
    ann = rider(hq)
    plan = Plan("p-1", ann, "swaps-30", 30, 4, ("north",), 0)
    assert sell(hq, plan, 9_000).sites == {"north"}
    assert (balance(hq, "prepaid:swaps-30"), balance(hq, f"cust:{ann}")) == (9_000, 0)
    assert balance(hq, f"cust:{ann}", "swaps-30") == 26
    grant = granted(north, hq, "swaps-30")
    assert grant is not None
    assert (grant.granted, grant.expires_s) == (4, hq.clock.now_ms() // 1000 + 30 * DAY_S)
    assert sell(hq, plan, 9_000).repeated
    with pytest.raises(Denied, match="was used for another act"):
        sell(hq, plan, 9_001)
    with pytest.raises(Denied, match="are free"):
        sell(hq, Plan("p-2", ann, "swaps-30", 30, 4, (), 0), 9_000, None)
    with store.writing(hq.engine) as connection:
        accounts.top_up(connection, hq.keys, hq.clock, ann, 9_000, channel="wechat", reference="w")
    sell(hq, Plan("p-2", ann, "swaps-30", 30, 4, (), 0), 9_000, None)
    assert balance(hq, f"cust:{ann}", "swaps-30") == 56
    assert balance(hq, "prepaid:swaps-30") == 18_000


def test_what_was_sold_before_a_site_began_waits_there_from_its_first_word(hq: Headquarters) -> None:
    """A plan's share, and deposits, like an allowance; a second deposit waits beside the first."""
    box = ShopBox("north")
    box.admit(hq)
    ann = rider(hq, deposit=30_000, home="north")
    assert sell(hq, Plan("p-1", ann, "swaps-30", 30, 4, ("north",), 0), 9_000).sites == set()
    box.join(hq)
    waiting = {asset: granted(box, hq, asset) for asset in ("swaps-30", "DEPOSIT")}
    assert {asset: it and it.granted for asset, it in waiting.items()} == {"swaps-30": 4, "DEPOSIT": 30_000}
    with store.writing(hq.engine) as connection:
        done = accounts.top_up(
            connection, hq.keys, hq.clock, ann, 20_000, channel="cash", reference="d-2", asset="DEPOSIT"
        )
    assert done.sites == {"north"}
    second = granted(box, hq, "DEPOSIT")
    assert second is not None
    assert second.granted == 50_000


def test_a_share_is_topped_up_and_never_added_to(hq: Headquarters) -> None:
    """What was not used yesterday counts for today; what was used comes again, and G only rises."""
    north, south = started(hq, "north", "south")
    ann = rider(hq)
    sell(hq, Plan("p-1", ann, "pass", 0, 5, ("north", "south"), END_S))
    first = [granted(box, hq, "pass") for box in (north, south)]
    assert [it.granted for it in first if it is not None] == [3, 2]
    assert all(it is not None and it.expires_s == END_S for it in first)
    assert tend(hq, days=1) == plans.Tended([], 0, frozenset())
    north.swap(ann, "A", "B")
    north.swap(ann, "B", "C")
    north.send(hq, 0)
    assert tend(hq, days=1).sites == {"north"}
    again = granted(north, hq, "pass")
    assert again is not None
    assert again.granted == 5  # three, two used, two more
    assert tend(hq) == plans.Tended([], 0, frozenset())
    assert balance(hq, f"cust:{ann}", "pass") == 0


def test_a_site_with_a_link_may_ask_for_more(hq: Headquarters) -> None:
    """Up to the daily number at once, at any site; a plan of so many swaps has only those."""
    north, south = started(hq, "north", "south")
    ann = rider(hq)
    sell(hq, Plan("p-1", ann, "pass", 0, 4, ("north",), END_S))
    reply = south.ask(hq, ann, 1, "pass")
    assert split(reply.grant)[0].granted == 1
    reply = north.ask(hq, ann, 100, "pass")
    assert split(reply.grant)[0].granted == 4  # its share, and no more lying at once
    assert south.ask(hq, ann, 1, "swaps-30").refusal == "no-funds"


def test_a_plan_that_is_over(hq: Headquarters) -> None:
    """It gets no more, its grants have expired with it, and what comes back of it lapses."""
    (north,) = started(hq, "north")
    ann = rider(hq)
    sell(hq, Plan("p-1", ann, "pass", 0, 4, ("north",), END_S))
    assert tend(hq, days=30.5).ended == ["p-1"]
    assert north.ask(hq, ann, 5, "pass").refusal == ""  # the grant it has, which has expired
    grant = split(north.ask(hq, ann, 5, "pass").grant)[0]
    assert (grant.granted, grant.expires_s) == (4, END_S)
    north.hand_back(ann, 4, "pass")
    north.send(hq, 0)
    assert tend(hq).lapsed == 4
    assert tend(hq) == plans.Tended([], 0, frozenset())
    assert balance(hq, f"cust:{ann}", "pass") == 0
    assert balance(hq, "channel:plans:clearing", "pass") == 0


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"account": "nobody"}, "no account"),
        ({"asset": "CNY"}, "expected the name of a plan's asset"),
        ({"asset": "DEPOSIT"}, "expected the name of a plan's asset"),
        ({"swaps": 0, "until_s": 0}, "swaps, or a date"),
        ({"until_s": NOON_MS // 1000}, "a date that is to come"),
        ({"daily": 289}, "swaps a day"),
        ({"swaps": 0, "daily": 0}, "swaps a day"),
        ({"sites": ("north", "north")}, "each site once"),
        ({"sites": ("nowhere",)}, "no site"),
    ],
)
def test_a_plan_that_makes_no_sense(light_hq: Headquarters, changed: dict[str, object], why: str) -> None:
    """Refused, and nothing is booked."""
    started(light_hq, "north")
    made: dict[str, object] = {"reference": "p", "account": rider(light_hq), "asset": "pass", "swaps": 30, "daily": 2}
    made |= {"sites": ("north",), "until_s": END_S}
    with pytest.raises(Denied, match=why):
        sell(light_hq, Plan(**{**made, **changed}))
    assert balance(light_hq, "prepaid:pass") == 0
