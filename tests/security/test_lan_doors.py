"""Somebody in the site's own network before cabinets, ports and lockers: no door opens for him, and nothing ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random

import pytest
from page_rig import Answer, Phone, at_a_cabinet, at_a_locker, at_a_port, hidden, link_in, text_of

from drivers.twins.cabinets.pack import pack_code
from edge.page.answers import Answers
from edge.page.exchange import Request
from edge.page.visits import ACTS, PINS_OF_ONE, PINS_OF_ONE_S, PINS_WRONG, PINS_WRONG_S
from protocols.trade.records import Notice, Preset
from tests.edge.codes import code, order
from tests.edge.desk_rig import CARD
from tests.edge.ports.port_rig import Rack

PIN = "471100"
ADDRESSES = (f"127.0.2.{number}" for number in count(1))


async def store(rack: Rack, phone: Phone, port: int, account: str) -> None:
    """A pack lies in this locker, behind a PIN."""
    text = code(4_000, account=account, start=order(1, f"rack.{port}", Preset("full", 0)))
    assert "opens" in text_of(await phone.take(text, pin=PIN))
    await rack.wait(3, 1)
    outlet = rack.steel.outlets[port]
    outlet.plugged, outlet.door_open = True, False
    rack.steel.tell()
    await rack.wait(3, 1)


@pytest.fixture
async def lockers(tmp_path: Path) -> AsyncIterator[tuple[Rack, Phone]]:
    """Three lockers, each with somebody's pack."""
    async with at_a_locker(tmp_path) as (rack, phone):
        for port in (1, 2, 3):
            await store(rack, phone, port, f"guest-{port}")
        yield rack, phone


async def guess(phone: Phone, pin: str, port: int = 1, visit: str | None = None) -> Answer:
    if visit is None:
        visit = hidden(await phone.get(f"/at/rack.{port}?lang=en"), "visit")
    return await phone.send("/open?lang=en", place=f"rack.{port}", visit=visit, pin=pin)


def opened(rack: Rack) -> int:
    return sum(1 for what, _ in rack.steel.asked if what == "open")


async def test_one_who_guesses_is_stopped_by_his_address(lockers: tuple[Rack, Phone]) -> None:
    """Ten PINs in a quarter of an hour, whatever the locker; others go on."""
    rack, phone = lockers
    before = opened(rack)
    for number in range(PINS_OF_ONE):
        assert (await guess(phone, f"{100_000 + number}", 1 + number % 3)).status == 200
    assert (await guess(phone, "100100", 2)).status == 429
    assert opened(rack) == before
    rack.elapse(PINS_OF_ONE_S)
    rack.steel.tell()
    assert "opens: take your pack" in text_of(await guess(phone, PIN, 3))


async def test_one_with_many_addresses_is_stopped_by_the_sum(lockers: tuple[Rack, Phone]) -> None:
    """Twenty wrong PINs at all lockers in six hours: then not even the right one opens; headquarters hears of it once.
    Codes still do.
    """
    rack, phone = lockers
    before, wrong = opened(rack), 0
    for number in range(PINS_WRONG * 4):  # as many as the lockers let through, from a new address each time
        answer = await guess(replace(phone, address=next(ADDRESSES)), f"{200_000 + number}", 1 + number % 3)
        wrong += "Wrong PIN" in text_of(answer) and answer.status == 200
        if number % 3 == 2:
            rack.elapse(121)
            rack.steel.tell()
    assert wrong == PINS_WRONG
    assert (await guess(replace(phone, address=next(ADDRESSES)), PIN, 1)).status == 429
    assert opened(rack) == before
    assert [(body.what, body.subject) for body in rack.bodies(Notice)].count(("pins-guessed", "page")) == 1
    again = code(8_000, account="guest-1", serial=2, start=order(2, "rack.1"))
    assert "opens: take your pack" in text_of(await phone.take(again))
    rack.elapse(PINS_WRONG_S)
    rack.steel.tell()
    assert "opens: take your pack" in text_of(await guess(phone, PIN, 2))


async def test_who_listens_gains_nothing_from_a_form_that_was_sent(lockers: tuple[Rack, Phone]) -> None:
    """The visit is spent; what he has read, the PIN itself, is said in docs/security.md."""
    rack, phone = lockers
    visit = hidden(await phone.get("/at/rack.1?lang=en"), "visit")
    assert "opens" in text_of(await guess(phone, PIN, 1, visit))
    before = opened(rack)
    assert (await guess(phone, PIN, 1, visit)).status == 403
    await rack.wait(1, 1)
    assert opened(rack) <= before + 1  # the owner's own


async def test_another_page_cannot_act_through_a_customers_browser(lockers: tuple[Rack, Phone]) -> None:
    """It can send a form, and knows no visit."""
    rack, phone = lockers
    before = opened(rack)
    for port in (1, 2, 3):
        assert (await guess(phone, PIN, port, visit="")).status == 403
    assert opened(rack) == before


async def test_looking_changes_nothing(lockers: tuple[Rack, Phone]) -> None:
    """GET and HEAD of every path there is, of acts as well: not a record more, not a door."""
    rack, phone = lockers
    size, before = rack.journal.size, opened(rack)
    paths = ["/", "/at/rack.1", "/at/rack.1?pin=" + PIN, "/prices.json", "/take", "/open?place=rack.1&pin=" + PIN]
    paths += ["/receipt/hz-1/1/5", "/receipt/hz-1/1/5/end", "/receipt/hz-1/1/5.json/end"]
    for path in paths:
        assert (await phone.get(path)).status in {200, 404, 405}, path
        assert (await phone.head(path)).body == b""
    await rack.wait(1, 1)
    assert (rack.journal.size, opened(rack)) == (size, before)


async def test_acts_are_limited(tmp_path: Path) -> None:
    """Sixty forms of one address within a minute; looking goes on, and so do others."""
    async with at_a_port(tmp_path) as (rack, phone):
        for _ in range(ACTS):
            assert (await phone.take("hello")).status == 200
        assert (await phone.take("hello")).status == 429
        assert (await phone.get("/at/rack.1")).status == 200
        other = replace(phone, address=next(ADDRESSES))
        assert "has been started" in text_of(await other.take(code(400, start=order(1, "rack.1"))))
        rack.elapse(60)
        assert (await phone.take("hello")).status == 200


async def test_a_pin_is_told_to_nobody(lockers: tuple[Rack, Phone], capsys: pytest.CaptureFixture[str]) -> None:
    """Not to the log of the daemon, right or wrong; not to the journal; not to a page."""
    rack, phone = lockers
    wrong, right = await guess(phone, "100200"), await guess(phone, PIN)
    said = capsys.readouterr().out
    assert "locker not opened" in said
    journal = b"".join(rack.journal.read(0, rack.journal.size, 1 << 20))
    for pin in ("100200", PIN):
        assert pin not in said
        assert pin.encode() not in journal
        for page in (wrong, right, await phone.get("/at/rack.1")):
            assert pin not in page.text


async def test_a_strangers_look_at_a_swap(tmp_path: Path) -> None:
    """Which door is open, as whoever stands there sees; not whose it is, nor which pack, nor its link."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        await shop.shop.tap("cab-1", CARD)
        await shop.wait_until(lambda: shop.twin.slots[1].door_open)
        (swap,) = shop.shop.swaps.swaps()
        for path in ("/", "/at/cab-1", "/at/1?lang=en"):
            page = await phone.get(path)
            for secret in ("ann", CARD, pack_code(105), "/receipt/", swap.opened.origin.credential.hex()):
                assert secret not in page.text
        for path in (f"/receipt/hz-1/1/{swap.seq}", f"/receipt/hz-1/1/{swap.seq}?k=AAAAAAAAAAAAAAAAAAAAAA"):
            assert (await phone.get(path)).status == 404
        await shop.end()


async def test_links_of_one_kind_are_no_links_of_another(tmp_path: Path) -> None:
    """The token of one session ends no other."""
    async with at_a_port(tmp_path) as (rack, phone):
        mine = link_in(await phone.take(code(400, start=order(1, "rack.1"))))
        theirs = (await rack.begin_port(2)).seq
        visit = hidden(await phone.get(mine), "visit")
        token = mine.partition("?")[2]
        assert (await phone.send(f"/receipt/hz-1/1/{theirs}/end?{token}", visit=visit)).status == 404
        found = rack.ports.session(theirs)
        assert found is not None
        assert found[1].may_flow


@pytest.mark.parametrize("place", ["..", "%2e%2e", "rack.1%00", "rack.1%2f..", "a" * 131, "rack.1;", "%E6%9F%9C"])
async def test_no_place_of_that_name(tmp_path: Path, place: str) -> None:
    """Names are looked up, and lead nowhere else."""
    async with at_a_port(tmp_path) as (_, phone):
        assert (await phone.get(f"/at/{place}")).status in {400, 404}


PIECES = (
    "", "/", "at", "open", "take", "receipt", "end", ".json", "rack.1", "rack.2", "hz-1", "1", "5", "9" * 15, "..", "%",
    "\x00", "柜", "é", "FT1:", "FT1:ABC", PIN, "' or 1=1", "<b>", "k", "visit", "place", "pin", "consent", "lang",
)  # fmt: skip


async def test_whatever_is_asked(lockers: tuple[Rack, Phone]) -> None:
    """A thousand requests put together from the page's own words: each has an answer, none opens, none fails."""
    rack, phone = lockers
    config = phone.daemon.config.page
    assert config is not None
    page, rng = Answers(phone.daemon, config), Random(7)
    before, size = opened(rack), rack.journal.size

    def some(most: int) -> dict[str, str]:
        return {
            rng.choice(PIECES): "".join(rng.choices(PIECES, k=rng.randint(0, 2))) for _ in range(rng.randint(0, most))
        }

    for number in range(1_000):
        path = "/" + "/".join(rng.choices(PIECES, k=rng.randint(0, 5))) + rng.choice(("", ".json", "/end"))
        request = Request(rng.choice(("GET", "HEAD", "POST")), path, some(3), some(4), rng.choice(("zh", "en")))
        answer = await page.answer(request, f"127.0.3.{number}")
        assert answer.status < 500, request
    await rack.wait(1, 1)
    assert (opened(rack), rack.journal.size) == (before, size)
