"""A rider with a phone and no card, at the real daemon: code from headquarters, page, doors, bill, books."""

from __future__ import annotations

import asyncio
import html
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from plant import SITE
from shop_front_files import CABINET
from shop_plant import ShopPlant, port_of, shop_plant, swap_of

pytestmark = pytest.mark.system


class Phone:
    """In the site's network. It asks as a browser does, and follows where it is sent."""

    def __init__(self, site: ShopPlant) -> None:
        self._site = site
        self._url = ""

    async def find(self) -> None:
        """The page's port, by the daemon's log: it is another one after each start."""
        lines = (self._site.root / "log" / "daemon.log").read_text().splitlines()
        said = [json.loads(line) for line in lines if line.startswith("{")]
        self._url = [line["url"] for line in said if line.get("event") == "page"][-1]

    async def ask(self, path: str, **form: str) -> tuple[int, str]:
        """Status and page."""
        return await asyncio.to_thread(self._ask, path, form)

    async def reads(self, path: str) -> str:
        """What a person reads there."""
        status, page = await self.ask(path)
        assert status == 200, page
        return _text(page)

    async def until(self, path: str, text: str) -> str:
        """Look until it stands there."""
        async with asyncio.timeout(60):
            while text not in (said := await self.reads(path)):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.2)
        return said

    def _ask(self, path: str, form: dict[str, str]) -> tuple[int, str]:
        data = urllib.parse.urlencode(form).encode() if form else None
        try:
            with urllib.request.urlopen(self._url + path, data, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


def _text(page: str) -> str:
    body = page.partition("<main>")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def _link(page: str) -> str:
    found = re.search(r'href="(/receipt/[^"]+)"', page)
    assert found is not None, _text(page)
    return html.unescape(found[1])


def _visit(page: str) -> str:
    found = re.search(r'name="visit" value="([^"]+)"', page)
    assert found is not None, _text(page)
    return found[1]


async def _with_a_page(site: ShopPlant) -> Phone:
    await site.end_daemon()
    with site.config.open("a") as config:
        config.write('\n[page]\nhost = "127.0.0.1"\nport = 0\n')
    await site.start_daemon()
    await site.until("every slot to be known", lambda s: all(one["holds"] != "unsure" for one in _slots(s)))
    phone = Phone(site)
    await phone.find()
    return phone


def _slots(status: object) -> list[dict[str, str]]:
    assert isinstance(status, dict)
    slots: list[dict[str, str]] = status["cabinets"][0]["slots"]
    return slots


async def _code(site: ShopPlant, who: str, place: str, number: int) -> str:
    """What waits at the site for this rider, and a start there."""
    words = ("account", "qr", site.riders[who], "0", "--site", SITE, "--reference", f"app-{number}", "--start", place)
    return str((await site.hq(*words))["text"])


@pytest.mark.timeout(180)
async def test_a_swap_and_a_charge_by_phone(tmp_path: Path) -> None:
    """The page leads through the swap, over the daemon's death with the new pack's door open; a port is ended by its
    link. What the twins, the log, headquarters and the bill on the phone say is one.
    """
    async with shop_plant(tmp_path) as site:
        phone = await _with_a_page(site)
        assert "You can swap now" in await phone.until(f"/at/{CABINET}?lang=en", "full packs ready")
        await site.plug("rack")
        port = _link((await phone.ask("/take?lang=en", code=await _code(site, "wang", "rack.3", 1)))[1])
        await site.until("energy to flow", lambda s: (port_of(s, "rack")["session"] or {}).get("energy_wh"))
        assert "Charging" in await phone.reads(port)
        _, page = await phone.ask(port)
        path, _, token = port.partition("?")
        status, page = await phone.ask(f"{path}/end?{token}", visit=_visit(page))
        assert status == 200

        swap = _link((await phone.ask("/take?lang=en", code=await _code(site, "li", CABINET, 2)))[1])
        await phone.until(swap, "Put your pack into slot")
        _, page = await phone.ask(swap)
        old = _visit(page)
        await site.come("swaps", "li")  # whose card, shown on the way, begins nothing more
        await site.step_is("given")
        await site.kill_daemon()
        await site.start_daemon()
        await phone.find()
        path, _, token = swap.partition("?")
        assert (await phone.ask(f"{path}/end?{token}", visit=old))[0] == 403
        await site.until("the end of the swap", lambda s: swap_of(s) is None)
        assert "Swap receipt" in await phone.until(swap, "¥3.50")

        assert "stopped at the site" in await phone.until(port, "Port receipt")
        await site.sold_out()
        found = await site.audit_shop()
        assert found.outcomes() == {"swapped": 1}
        assert len(found.port_closed) == 1
        assert {body.reason for body in found.port_closed.values()} == {"local"}
