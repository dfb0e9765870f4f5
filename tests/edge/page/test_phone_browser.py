"""The page in a real browser at a phone's size: it fits, keeps itself up to date, and its forms do what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import CHROMIUM, Navigated, Page, chromium
from msgspec.structs import replace
from page_rig import Phone, at_a_cabinet, at_a_locker, at_a_port, link_in

from drivers.twins.cabinets.rider_words import swaps
from protocols.trade.records import Preset
from protocols.trade.records_port import LockerClosed, LockerOpened
from tests.edge.codes import code, order
from tests.edge.ports.port_rig import POLICY

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium) to show the page")
WIDTH = 360
"""The narrowest phone that is still common, in CSS pixels."""
BREACHES = "performance.getEntriesByType('resource').filter((one) => !one.name.startsWith(location.origin)).length"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        page.phone(WIDTH)
        yield page


class Hand:
    """A customer's thumb, on one tab. The browser is asked from a thread, so that the page can answer."""

    def __init__(self, tab: Page, phone: Phone) -> None:
        self._tab = tab
        self._url = f"http://127.0.0.1:{phone.port}"

    async def open(self, path: str) -> str:
        """The text that is seen there; nothing of it is wider than the phone, and nothing comes from elsewhere."""
        await asyncio.to_thread(self._tab.open, self._url + path)
        assert await self.run("document.documentElement.scrollWidth") == WIDTH, path
        assert await self.run(BREACHES) == 0
        return await self.text()

    async def text(self) -> str:
        return str(await self.run("document.querySelector('main').innerText"))

    async def run(self, script: str) -> object:
        return await asyncio.to_thread(self._tab.run, script)

    async def sees(self, text: str) -> None:
        """Wait for it; a page that is just being left has no text."""
        async with asyncio.timeout(60):
            while text not in await self._seen():  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.05)

    async def _seen(self) -> str:
        try:
            return str(await self.run("document.body && document.body.innerText"))
        except Navigated:
            return ""

    async def types(self, field: str, text: str) -> None:
        await self.run(f"document.querySelector({field!r}).value = {text!r}")

    async def presses(self, form: str) -> None:
        """Its button; the next page is there once its text is."""
        await self.run(f"document.querySelector({form!r}).querySelector('button').click()")


async def test_a_swap_followed_without_a_touch(tab: Page, tmp_path: Path) -> None:
    """The code comes with the link's fragment; each step shows by itself; the bill comes in the end."""
    async with at_a_cabinet(tmp_path) as (shop, phone):
        hand = Hand(tab, phone)
        text = code(4_000, start=order(1, "cab-1", Preset("full", 0)))
        said = await hand.open(f"/at/cab-1?lang=en#{quote(text, safe='')}")
        assert "You can swap now" in said
        assert await hand.run("document.querySelector('#code').value") == text
        assert await hand.run("location.hash") == ""
        await hand.presses("form")
        await hand.sees("slot 1 opens")
        await hand.run("document.querySelector('a.button').click()")
        await hand.sees("Slot 1 is opening")
        shop.rider(swaps, "guest-7", pack=1)
        await shop.wait_until(lambda: shop.twin.slots[1].door_open)
        await shop.wait(0.5)
        await hand.sees("Put your pack into slot 1")
        await shop.end(60)
        await hand.sees("Swap receipt")
        assert "¥3.00" in await hand.text()


async def test_a_locker_by_pin(tab: Page, tmp_path: Path) -> None:
    """Stored with a PIN that the form has checked, taken out by typing it."""
    async with at_a_locker(tmp_path) as (rack, phone):
        hand = Hand(tab, phone)
        await hand.open("/at/rack.1?lang=en")
        await hand.types("#code", code(4_000, start=order(1, "rack.1")))
        await hand.types("#new-pin", "12")
        await hand.presses("form")
        assert rack.bodies(LockerOpened) == []  # the browser has kept it: too short
        await hand.types("#new-pin", "471100")
        await hand.presses("form")
        await hand.sees("put your pack in")
        await rack.wait(3, 1)
        rack.steel.outlets[1].plugged, rack.steel.outlets[1].door_open = True, False
        rack.steel.tell()
        await rack.wait(3, 1)
        assert "Open mine" in await hand.open("/at/rack.1?lang=en")
        assert await hand.run("document.querySelector('#pin').type") == "password"
        await hand.types("#pin", "471100")
        await hand.presses("form[action^='/open']")
        await hand.sees("take your pack")
        await rack.wait(3, 1)
        assert len(rack.bodies(LockerClosed)) == 1


async def test_a_port_is_ended_by_a_button(tab: Page, tmp_path: Path) -> None:
    """The page goes back to the session, and loading it once more ends nothing once more."""
    async with at_a_port(tmp_path) as (rack, phone):
        hand = Hand(tab, phone)
        link = link_in(await phone.take(code(400, start=order(1, "rack.1"))))
        await rack.wait(600, 30)
        assert "End charging" in await hand.open(f"{link}&lang=en")
        await hand.presses("form")
        await hand.sees("Ending")
        assert await hand.run("location.pathname") == link.partition("?")[0]
        await rack.wait(20, 5)
        await hand.sees("Port receipt")


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_port_that_does_not_begin(tab: Page, tmp_path: Path, language: str) -> None:
    """Whoever waits sees it without a touch: that it has not begun, that it is cancelled, that the money is back."""
    waits, lets_go, is_back = {
        "en": ("has not begun yet", "is being cancelled", "All that was set aside has gone back"),
        "zh": ("尚未开始充电", "正在取消", "预留款项已全部退回"),
    }[language]
    async with at_a_port(tmp_path) as (rack, phone):
        rack.rules = rack.ports.policy = replace(POLICY, settle_wait_s=3_600)
        rack.steel.lazy = True
        hand = Hand(tab, phone)
        link = link_in(await phone.take(code(400, start=order(1, "rack.1"))))
        await rack.wait(10)
        assert waits in await hand.open(f"{link}&lang={language}")
        await rack.wait(60)
        await hand.sees(lets_go)
        await rack.wait(70)
        await hand.sees(is_back)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_locker_in_trouble(tab: Page, tmp_path: Path, language: str) -> None:
    """The power has failed, then staff have its door open: both fit on the phone."""
    cut, staff = {
        "en": ("gone on by itself", "Staff have it open"),
        "zh": ("已自动继续充电", "工作人员正打开柜门"),
    }[language]
    async with at_a_locker(tmp_path) as (rack, phone):
        link = link_in(await phone.take(code(4_000, start=order(1, "rack.1", Preset("time", 7_200))), pin="471100"))
        await rack.wait(3, 1)
        rack.steel.outlets[1].plugged, rack.steel.outlets[1].door_open = True, False
        rack.steel.tell()
        await rack.wait(600, 30)
        rack.steel.cut_power()
        await rack.wait(20, 1)
        paths = (f"/at/rack.1?lang={language}", f"{link}&lang={language}")
        for path in paths:
            assert cut in await Hand(tab, phone).open(path)
        await rack.hall.lockers.open_by_staff("rack.1", "wu", "is it warm?", remove=False)
        await rack.wait(4, 1)
        for path in paths:
            assert staff in await Hand(tab, phone).open(path)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_nothing_is_wider_than_the_phone(tab: Page, tmp_path: Path, language: str) -> None:
    """First pages and places, in both languages."""
    async with at_a_cabinet(tmp_path / "cabinet") as (_, phone):
        for path in ("/", "/at/cab-1"):
            await Hand(tab, phone).open(f"{path}?lang={language}")
    async with at_a_locker(tmp_path / "locker") as (_, phone):
        for path in ("/", "/at/rack.1"):
            await Hand(tab, phone).open(f"{path}?lang={language}")
    async with at_a_port(tmp_path / "port") as (_, phone):
        for path in ("/", "/at/rack.1"):
            await Hand(tab, phone).open(f"{path}?lang={language}")
