"""A cabinet on a rider's phone, over real HTTP: may I swap, what does it cost, and what do I do next?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from page_rig import Phone, at_a_cabinet, hidden, link_in, text_of

from drivers.twins.cabinets.pack import Pack, pack_code
from drivers.twins.cabinets.rider_words import brings_foreign, rents, returns, swaps, takes_nothing_and_goes
from edge.shop.cabinet_loop import CabinetLoop
from protocols.trade.records import Preset
from protocols.trade.records_pack import DEPOSIT, SwapOpened
from tests.edge.codes import code, order
from tests.edge.desk_rig import CARD
from tests.edge.shop.shop_rig import CABINET, Front, ready_shop

GUEST = "guest-7"
HERE = f"/at/{CABINET}?lang=en"


def a_swap(number: int = 1, *, total: int = 4_000, preset: str = "full") -> str:
    """A code that swaps at the cabinet."""
    return code(total, serial=number, start=order(number, CABINET, Preset(preset, 0)))


def step(shop: Front) -> str:
    return next((swap.step for swap in shop.desk.state.shop.swaps.values()), "")


async def read(phone: Phone, path: str) -> str:
    """What a person reads there."""
    answer = await phone.get(path)
    assert answer.status == 200, answer.text
    return text_of(answer)


# --- may I swap? ------------------------------------------------------------------------------------------------------


async def test_the_cabinet_that_was_scanned(tmp_path: Path) -> None:
    """Whether a swap can begin, what is in it, and what each way to pay costs; by its id, or the number on it."""
    async with at_a_cabinet(tmp_path) as (_, phone):
        english = await read(phone, HERE)
        for text in (
            "Cabinet 1", "You can swap now", "3 full packs ready · 3 empty slots", "72V20 × 3 · 60V25 × 0",
            "Plan swaps30 1 each swap", "One swap ¥3.00", "¥2.50 per kWh At least ¥0.50, at most ¥4.00",
            "Rent for a day ¥8.00 Deposit ¥300.00", "¥10.00 for each day late",
        ):  # fmt: skip
            assert text in english
        chinese = await read(phone, "/at/1")
        assert "可以换电" in chinese
        assert "3 块满电电池 · 3 个空仓" in chinese
        assert (await phone.get("/at/cab-9")).status == 404


async def test_the_first_page_leads_to_it(tmp_path: Path) -> None:
    """How each cabinet stands, and a link that keeps the language."""
    async with at_a_cabinet(tmp_path) as (_, phone):
        answer = await phone.get("/?lang=en")
        assert "Swap cabinets 1 You can swap now 3 full packs ready" in text_of(answer)
        assert 'href="/at/cab-1?lang=en"' in answer.text
        assert "Chargers" not in answer.text


async def test_what_stands_against_it(tmp_path: Path) -> None:
    """Each reason in words, and what to do about it; what is empty is said before anybody comes with a pack."""
    async with at_a_cabinet(tmp_path, front=ready_shop(full=())) as (_, phone):
        assert "No full pack ready" in await read(phone, HERE)
    async with at_a_cabinet(tmp_path / "2", front=ready_shop(slots=3, full=(1, 2, 3))) as (_, phone):
        assert "No empty slot" in await read(phone, HERE)
    async with at_a_cabinet(tmp_path / "3") as (shop, phone):
        await shop.shop.open_slot(CABINET, 2, "li", "to look")
        await shop.wait(1)
        assert "Shut the open door first Shut every door, then try again." in await read(phone, HERE)
        shop.front.shut(CABINET, 2, "li")
        await shop.wait(5)
        shop.cabinet.answers = False
        await shop.wait(15)
        silent = await read(phone, HERE)
        assert "The cabinet does not answer Take another cabinet" in silent
        assert "full pack" not in silent
        shop.cabinet.answers = True
        await shop.wait(5)


# --- step by step -----------------------------------------------------------------------------------------------------


async def test_a_swap_by_code_from_the_first_door_to_the_bill(tmp_path: Path) -> None:
    """The link that the code gave says what to do at each step, and is the receipt in the end."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        started = await phone.take(a_swap())
        assert "Cabinet 1: slot 1 opens" in text_of(started)
        link = link_in(started)
        assert "Slot 1 is opening" in await read(phone, f"{link}&lang=en")
        shop.rider(swaps, GUEST, pack=1)
        await shop.wait_until(lambda: shop.twin.slots[1].door_open)
        await shop.wait(0.5)
        assert "Put your pack into slot 1, plug it in and shut the door" in await read(phone, f"{link}&lang=en")
        assert "把您的电池放入 1 号仓，插好并关门" in await read(phone, f"{link}&lang=zh")
        await shop.wait_until(lambda: step(shop) == "given")
        giving = await phone.get(f"{link}&lang=en")
        assert "Take the pack from slot 5 and shut the door" in text_of(giving)
        assert "/end?" not in giving.text  # a pack that is given is given
        await shop.end(60)
        bill = await read(phone, f"{link}&lang=en")
        assert "¥3.00" in bill
        assert pack_code(105) in bill


async def test_a_rider_with_a_card_sees_the_steps_too(tmp_path: Path) -> None:
    """Behind the QR code of the cabinet, for whoever stands there: no account, no card, no pack's code."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        shop.rider(swaps)
        await shop.shop.tap(CABINET, CARD)
        await shop.wait_until(lambda: shop.twin.slots[1].door_open)
        await shop.wait(0.5)
        seen = await phone.get(HERE)
        assert "Put your pack into slot 1" in text_of(seen)
        assert "In use" in await read(phone, "/?lang=en")
        await shop.wait_until(lambda: step(shop) == "given")
        assert "Take the pack from slot 5" in await read(phone, HERE)
        await shop.end(60)
        over = await phone.get(HERE)
        assert "The session before Swapped" in text_of(over)
        for page in (seen, over):
            for secret in ("ann", CARD, pack_code(1), pack_code(105), "/receipt/"):
                assert secret not in page.text


async def test_a_pack_that_is_not_ours(tmp_path: Path) -> None:
    """The door opens again, and the page says why in the rider's words."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        link = link_in(await phone.take(a_swap()))
        shop.rider(brings_foreign, GUEST, pack=None)
        await shop.wait_until(lambda: step(shop) == "reopen-empty")
        await shop.wait_until(lambda: shop.twin.slots[1].door_open)
        await shop.wait(0.2)
        said = await read(phone, f"{link}&lang=en")
        assert "Take this pack out of slot 1 and shut the door This pack cannot be swapped here" in said
        await shop.end()
        assert "Not completed; nothing was charged" in await read(phone, f"{link}&lang=en")


async def test_left_in_and_gone_on_from(tmp_path: Path) -> None:
    """The rider shuts the door without taking: nothing is charged, and the page says until when it goes on."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        link = link_in(await phone.take(a_swap()))
        shop.rider(takes_nothing_and_goes, GUEST)
        await shop.end()
        for path in (f"{link}&lang=en", HERE):
            said = await read(phone, path)
            assert "The pack was left in" in said
            assert "Scan or tap again within 5 min" in said
        shop.rider(rents, GUEST, pack=None)
        assert "slot 5 opens" in text_of(await phone.take(a_swap(2, total=8_000)))
        assert (await shop.end()).outcome == "swapped"


async def test_a_pack_is_rented_and_returned_by_code(tmp_path: Path) -> None:
    """The code's start says which; a rent has one step, a return costs nothing."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        await shop.allow(DEPOSIT, 30_000, GUEST, "0456")
        shop.rider(rents, GUEST, pack=None)
        link = link_in(await phone.take(a_swap(preset="rent")))
        assert "Cabinet 1 · Rent" in await read(phone, f"{link}&lang=en")
        await shop.end(60)
        rented = await read(phone, f"{link}&lang=en")
        assert "Rent receipt 中文 ¥8.00" in rented
        assert "Paid until" in rented
        await shop.wait(5)
        shop.rider(returns, GUEST, pack=None)
        link = link_in(await phone.take(a_swap(2, preset="return")))
        assert "Cabinet 1 · Return Slot 1 is opening … Your pack into slot 1 It is recognised" in await read(
            phone, f"{link}&lang=en"
        )
        assert (await shop.end(60)).outcome == "returned"


async def test_a_cabinet_that_nobody_has_looked_into_yet(tmp_path: Path) -> None:
    """Right after the daemon's start: not "no pack", but wait."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        loop = shop.shop.loops[CABINET]
        shop.shop.loops[CABINET] = CabinetLoop(loop.cabinet, shop.swaps, shop.clock, shop.site.changed)
        assert "Its slots are being looked at" in await read(phone, HERE)
        await shop.wait(4)
        assert "You can swap now" in await read(phone, HERE)


# --- refused ----------------------------------------------------------------------------------------------------------


async def test_a_code_that_begins_nothing(tmp_path: Path) -> None:
    """Why, what to do, and that nothing is lost; the same code works when the reason has gone."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        await shop.begin_swap()
        refused = text_of(await phone.take(a_swap()))
        assert "Cabinet 1 did not begin" in refused
        assert "Wait until the rider before you has finished." in refused
        assert "Nothing of it is lost" in refused
        assert shop.shop.swaps.swaps()
        await shop.shop.cancel(shop.shop.swaps.swaps()[0].seq)
        await shop.end()
        await shop.wait(5)
        assert "slot 1 opens" in text_of(await phone.take(a_swap()))
        await shop.end()


async def test_a_pack_that_is_not_full_only_with_consent(tmp_path: Path) -> None:
    """Refused at first; a button gives the same code in once more, with the rider's word."""
    front = ready_shop(full=())
    front.stock(CABINET, 3, Pack(pack_code(103), soc_permille=700))
    async with at_a_cabinet(tmp_path, front=front) as (shop, phone):
        assert "1 more not quite full, if you agree to one" in await read(phone, HERE)
        refused = await phone.take(a_swap(), offer="single")
        assert "Only packs that are not full are left" in text_of(refused)
        assert hidden(refused, "offer") == "single"
        again = await phone.take(hidden(refused, "code"), offer="single", consent=hidden(refused, "consent"))
        assert "slot 1 opens" in text_of(again)
        assert shop.bodies(SwapOpened)[0].consent_permille == 500
        await shop.end()


async def test_the_rider_chooses_the_offer(tmp_path: Path) -> None:
    """By the form's list; the page's own first choice is a plan, then the first price. What is not there is refused."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        page = await phone.get(HERE)
        offered = re.findall(r'<option value="([^"]*)">([^<]*)<', page.text)
        assert offered == [
            ("", "By itself: a plan first"), ("swaps30", "Plan swaps30 · 1 each swap"), ("single", "One swap · ¥3.00"),
            ("by-energy", "By energy gained · ¥2.50 per kWh"), ("day", "Rent for a day · ¥8.00"),
        ]  # fmt: skip
        refused = text_of(await phone.take(a_swap(), offer="cheap"))
        assert "There is no such plan or price" in refused
        assert "slot 1 opens" in text_of(await phone.take(a_swap(), offer="by-energy"))
        assert [body.offer for body in shop.bodies(SwapOpened)] == ["by-energy"]
        await shop.end()


# --- its end by hand --------------------------------------------------------------------------------------------------


async def test_its_rider_cancels_it(tmp_path: Path) -> None:
    """By the link's form, once; the page says what is still to be done, and that nothing was charged."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        link = link_in(await phone.take(a_swap()))
        await shop.wait_until(lambda: shop.twin.slots[1].door_open)
        path, _, token = link.partition("?")
        visit = hidden(await phone.get(f"{link}&lang=en"), "visit")
        done = await phone.send(f"{path}/end?{token}&lang=en", visit=visit)
        assert (done.status, done.headers["Location"]) == (303, f"{link}&lang=en")
        assert "Shut the door of slot 1, and it is over Being cancelled" in await read(phone, f"{link}&lang=en")
        shop.front.shut(CABINET, 1, GUEST)
        assert (await shop.end()).outcome == "cancelled"
        assert "Not completed; nothing was charged" in await read(phone, f"{link}&lang=en")


@pytest.mark.parametrize(
    ("token", "visit", "status"), [("AAAAAAAAAAAAAAAAAAAAAA", None, 404), (None, "", 403), (None, "1.2.3", 403)]
)
async def test_nobody_else_cancels_it(tmp_path: Path, token: str | None, visit: str | None, status: int) -> None:
    """Without its link it is not there; with a form of one's own nothing happens."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        link = link_in(await phone.take(a_swap()))
        path, _, own = link.partition("?")
        shown = hidden(await phone.get(f"{link}&lang=en"), "visit")
        key = own if token is None else f"k={token}"
        answer = await phone.send(f"{path}/end?{key}", visit=shown if visit is None else visit)
        assert answer.status == status
        assert (await phone.get(f"{path}/end?{own}")).status == 405
        (swap,) = shop.shop.swaps.swaps()
        progress = shop.shop.swaps.progress_of(swap.seq)
        assert progress is not None
        assert not progress.cancelled
        await shop.end()
