"""Codes for phones: the grant that the site would get anyway, asked for once, with a start that only rises."""

from __future__ import annotations

import pytest
from hq_box import Box, admit, balance, dump

from cloud import accounts, carried, store
from cloud.accounts import Limits
from cloud.acts import Denied
from cloud.carried import Code, Order
from cloud.service import Headquarters
from protocols.proof.ed25519 import public_of
from protocols.trade import books
from protocols.trade import carried as codes
from protocols.trade.records import Preset

BAY_1 = Order("bay-1", Preset("money", 5_000))


@pytest.fixture
def box(hq: Headquarters) -> Box:
    box = Box("S1")
    admit(hq, box)
    box.enrol(hq)
    box.send(hq, 0)
    return box


@pytest.fixture
def account(hq: Headquarters, box: Box) -> str:
    """100.00 free, a card, nothing placed; at most 80.00 out at one site."""
    with store.writing(hq.engine) as connection:
        account = accounts.open_account(connection, hq.keys, hq.clock, home_site=None, limits=Limits(20_000, 0, 8_000))
        accounts.add_card(connection, hq.keys, hq.clock, account, "04A1B2C3")
        accounts.top_up(connection, hq.keys, hq.clock, account, 10_000, channel="wechat", reference="wx-1")
    return account


def issue(
    hq: Headquarters, account: str, amount: int, reference: str = "app-1", order: Order | None = None, site: str = "S1"
) -> Code:
    with store.writing(hq.engine) as connection:
        return carried.issue(connection, hq.keys, hq.clock, account, site, amount, reference=reference, order=order)


def test_a_code_is_the_grant_that_the_site_would_get(hq: Headquarters, box: Box, account: str) -> None:
    """The very bytes that the link would bring, so that it does not matter which comes first."""
    code = issue(hq, account, 5_000)
    read = codes.read(code.text)
    codes.verify(read, public_of(hq.keys.grant))
    assert (read.grant.account, read.grant.site, read.grant.epoch, read.grant.granted) == (account, "S1", 1, 5_000)
    assert len(read.grant.credentials) == 1
    assert (code.raised, code.number, read.start) == (5_000, None, None)
    assert box.send(hq, 0).grants == [read.grant_bytes]
    assert balance(hq, books.lease(account, "S1", 1)) == 5_000


def test_a_code_is_given_once(hq: Headquarters, box: Box, account: str) -> None:
    """The app asks again because the answer was lost: the same text, and nothing has changed."""
    code = issue(hq, account, 5_000, order=BAY_1)
    before = dump(hq)
    again = issue(hq, account, 5_000, order=BAY_1)
    assert (again.text, again.number, again.raised, again.repeated) == (code.text, 1, 0, True)
    for amount, order in ((5_001, BAY_1), (5_000, None), (5_000, Order("bay-2", BAY_1.preset))):
        with pytest.raises(Denied, match="app-1"):
            issue(hq, account, amount, order=order)
    assert dump(hq) == before


def test_a_repeat_carries_the_newest_grant(hq: Headquarters, box: Box, account: str) -> None:
    """The start is as it was; the total is as it is."""
    issue(hq, account, 2_000, "app-1", BAY_1)
    issue(hq, account, 1_000, "app-2")
    again = codes.read(issue(hq, account, 2_000, "app-1", BAY_1).text)
    codes.verify(again, public_of(hq.keys.grant))
    assert again.grant.granted == 3_000
    assert again.start is not None
    assert again.start.number == 1


def test_numbers_of_starts_only_rise(hq: Headquarters, box: Box, account: str) -> None:
    """Per account, whatever the site."""
    other = Box("S2")
    admit(hq, other)
    other.enrol(hq)
    places = ["S1", "S2", "S1"]
    numbers = [issue(hq, account, 100, f"app-{n}", BAY_1, site).number for n, site in enumerate(places)]
    assert numbers == [1, 2, 3]


def test_a_start_is_for_two_hours(hq: Headquarters, box: Box, account: str) -> None:
    """The connector, the preset and the time are headquarters' word."""
    start = codes.read(issue(hq, account, 5_000, order=BAY_1).text).start
    assert start is not None
    assert (start.connector, start.preset) == ("bay-1", Preset("money", 5_000))
    assert start.expires_s == hq.clock.now_ms() // 1000 + 7_200


@pytest.mark.parametrize(("wanted", "raised"), [([5_000, 5_000], [5_000, 3_000]), ([20_000], [8_000])])
def test_a_code_obeys_the_caps(hq: Headquarters, box: Box, account: str, wanted: list[int], raised: list[int]) -> None:
    """Never more than is free, nor than may be out at one site: the rules of an online request."""
    made = [issue(hq, account, amount, f"app-{n}").raised for n, amount in enumerate(wanted)]
    assert made == raised
    before = dump(hq)
    with pytest.raises(Denied, match="nothing could be granted"):
        issue(hq, account, 1, "app-9")
    assert dump(hq) == before


def test_a_code_for_what_waits_there_already(hq: Headquarters, box: Box, account: str) -> None:
    """Amount 0: a start alone, on the allowance at the site; and none where nothing was ever granted."""
    with pytest.raises(Denied, match="nothing could be granted"):
        issue(hq, account, 0, order=BAY_1)
    issue(hq, account, 3_000, "app-1")
    code = issue(hq, account, 0, "app-2", BAY_1)
    assert (code.raised, codes.read(code.text).grant.granted) == (0, 3_000)


def test_who_gets_no_code(hq: Headquarters, box: Box, account: str) -> None:
    """A frozen account, an unknown or stopped site, a site without an epoch, a negative amount."""
    admit(hq, Box("S2"))
    for site, amount, says in (("S9", 100, "no site"), ("S2", 100, "no open epoch"), ("S1", -1, "at least 0")):
        with pytest.raises(Denied, match=says):
            issue(hq, account, amount, site=site)
    with store.writing(hq.engine) as connection:
        accounts.set_status(connection, hq.keys, hq.clock, account, "frozen")
    with pytest.raises(Denied, match="frozen"):
        issue(hq, account, 100)
