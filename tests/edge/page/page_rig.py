"""The page on a till of its own, asked over real HTTP."""

from __future__ import annotations

import asyncio
import html
import http.client
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from drivers.port_board import PortTraits
from edge.carried import Codes
from edge.config import Config, Page
from edge.daemon_state import Daemon
from edge.page.server import serve_page
from edge.plant.watch import Outlet
from edge.premises import Premises
from tests.edge.codes import PINNED
from tests.edge.desk_rig import Till, a_till, until
from tests.edge.ports.port_rig import TRAITS, Rack, a_rack, with_doors
from tests.edge.shop.shop_rig import Front, a_shop


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Phone:
    """A customer's phone in the site's network."""

    till: Till
    daemon: Daemon
    port: int
    address: str = "127.0.0.1"

    async def get(self, path: str, **headers: str) -> Answer:
        return await asyncio.to_thread(self._ask, "GET", path, None, headers)

    async def post(self, path: str, body: str | bytes, **headers: str) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return await asyncio.to_thread(self._ask, "POST", path, body, headers)

    async def take(self, code: str, **said: str) -> Answer:
        return await self.send("/take?lang=en", code=code, **said)

    async def send(self, path: str, **form: str) -> Answer:
        """A form as the page has it."""
        return await self.post(path, urlencode(form, quote_via=quote))

    async def head(self, path: str) -> Answer:
        return await asyncio.to_thread(self._ask, "HEAD", path, None, {})

    def _ask(self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20, source_address=(self.address, 0))
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


def link_in(answer: Answer) -> str:
    """The path of a session's page, without its language."""
    found = re.search(r'href="(/receipt/[^"]+)"', answer.text)
    assert found is not None, answer.text
    return found[1].replace("&amp;", "&").removesuffix("&lang=en")


def hidden(answer: Answer, name: str) -> str:
    """The value of a form's hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found is not None, answer.text
    return html.unescape(found[1])


def text_of(answer: Answer) -> str:
    """What a person reads, in one line."""
    body = answer.text.partition("<main>")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


@asynccontextmanager
async def a_phone(path: Path) -> AsyncIterator[Phone]:
    """A page on a port of its own; its till sells, and has no link."""
    async with a_till(path / "data") as till, phone_at(till, path / "data") as phone:
        yield phone


@asynccontextmanager
async def phone_at(till: Till, data_dir: Path) -> AsyncIterator[Phone]:
    """The page of this till; data_dir: with its journal."""
    outlets = {name: Outlet(name, bay, bay, f"m{name[1:]}") for name, bay in till.bays.items()}
    config = Config("hz-1", str(data_dir), page=Page("127.0.0.1", 0, "湖滨站 <1>"))
    daemon = Daemon(config, Premises({}, {}, outlets), till.clock, 0, till.journal, till.site)
    daemon.codes = Codes(till.site, PINNED)
    assert config.page is not None
    serving = asyncio.create_task(serve_page(daemon, config.page))
    try:
        await until(lambda: daemon.receipt_url is not None)
        assert daemon.receipt_url is not None
        yield Phone(till, daemon, urlsplit(daemon.receipt_url(0)).port or 0)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@asynccontextmanager
async def at_a_cabinet(path: Path, **more: Any) -> AsyncIterator[tuple[Front, Phone]]:
    """A cabinet that can sell, and a phone before it. The time is known, as a code of some time ago has told."""
    async with a_shop(path, **more) as shop, phone_at(shop, path) as phone:
        shop.clock.learn(shop.time.wall_ms, shop.time.wall_ms + 1)
        yield shop, phone


@asynccontextmanager
async def at_a_port(
    path: Path, *, price: str = "bikes", traits: PortTraits = TRAITS
) -> AsyncIterator[tuple[Rack, Phone]]:
    """A board of three ports with something plugged in, and a phone before it."""
    async with a_rack(path, price=price, traits=traits) as rack, phone_at(rack, path) as phone:
        rack.site.ports = rack.hall
        rack.clock.learn(rack.time.wall_ms, rack.time.wall_ms + 1)
        yield rack, phone


@asynccontextmanager
async def at_a_locker(path: Path) -> AsyncIterator[tuple[Rack, Phone]]:
    """Three lockers with nothing in them, and a phone before them."""
    async with at_a_port(path, price="lockers", traits=with_doors()) as (rack, phone):
        for outlet in rack.steel.outlets.values():
            outlet.plugged = False
        rack.steel.tell()
        yield rack, phone
