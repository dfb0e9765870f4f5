"""Codes on customers' phones, with the real processes: scanner on a serial line, local page, evidence by phone."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import ssl
import tty
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from plant import SITE, WAIT_S, Plant, plant, running, session_of

from cloud import carried, store
from cloud.carried import Order
from edge.demo.stage import StageError
from protocols.trade.records import Preset
from protocols.trade.wire import PATH_EVIDENCE

pytestmark = pytest.mark.system


class Forecourt(Plant):
    """A plant with a QR scanner on a serial line, and with the local page."""

    site = SITE

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._scanner, theirs = pty.openpty()
        tty.setraw(theirs)
        self._serial, self._theirs = os.ttyname(theirs), theirs

    async def start_twins(self) -> None:
        await super().start_twins()
        text = f'\n[[reader]]\nid = "scanner"\nconnector = "c1"\npath = "{self._serial}"\nbaud = 115_200\n'
        text += '\n[page]\nhost = "127.0.0.1"\nport = 0\ntitle = "湖滨站"\n'
        self.config.write_text(self.config.read_text() + text)

    async def close(self) -> None:
        await super().close()
        os.close(self._scanner)
        os.close(self._theirs)

    def scan(self, text: str) -> None:
        """Hold the phone to the scanner."""
        os.write(self._scanner, f"{text}\r\n".encode())

    def code(self, account: str, connector: str, amount_fen: int, reference: str) -> str:
        """What headquarters gives the customer's phone, wherever that is."""
        head = self.head
        with store.writing(head.engine) as connection:
            order = Order(connector, Preset("money", amount_fen))
            made = carried.issue(
                connection, head.keys, head.clock, account, self.site, amount_fen, reference=reference, order=order
            )
        return made.text

    @property
    def page(self) -> str:
        """Where the page is, by the daemon's own word; the newest one."""
        log = (self.root / "log" / "daemon.log").read_text()
        return re.findall(r"http://127\.0\.0\.1:\d+", log)[-1]

    async def ask_page(self, path: str, body: str | None = None) -> str:
        """The page as the phone gets it; it tries again while nobody listens, as after a restart."""

        def ask() -> str:
            request = urllib.request.Request(self.page + path, None if body is None else body.encode())
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                return str(answer.read().decode())

        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    return await asyncio.to_thread(ask)
                except urllib.error.URLError as error:
                    if not isinstance(error.reason, ConnectionRefusedError):
                        raise
                await asyncio.sleep(0.1)

    async def tell_headquarters(self, receipt: str) -> dict[str, Any]:
        """The phone is online again, and hands on what it was given."""
        assert self.link is not None
        context = ssl.create_default_context(cafile=str(self.hq_home / "tls" / "ca.pem"))
        url = f"https://127.0.0.1:{self.link._target}{PATH_EVIDENCE}"

        def tell() -> dict[str, Any]:
            request = urllib.request.Request(url, receipt.encode())
            with urllib.request.urlopen(request, timeout=WAIT_S, context=context) as answer:
                told: dict[str, Any] = json.loads(answer.read())
            return told

        return await asyncio.to_thread(tell)


@pytest.mark.timeout(300)
async def test_a_code_at_the_scanner_starts_a_session_offline(tmp_path: Path) -> None:
    """The site has no link and has never heard of the account. The phone carries the grant: one session, however often
    the code is shown, over a SIGKILL too.
    """
    async with plant(tmp_path, {}, make=Forecourt) as site:
        assert site.link is not None
        site.link.cut()
        account = site.customer("CARD-ANN", 2_000, at_home=False)
        text = site.code(account, "c1", 200, "ann-1")
        for _ in range(3):
            site.scan(text)
        status = await site.until("c1 to charge", lambda s: (session_of(s, "c1") or {}).get("energy_wh", 0) > 0)
        session = session_of(status, "c1")
        assert session is not None
        assert (session["account"], session["hold_fen"]) == (account, 200)
        await site.restart_daemon()
        site.scan(text)
        await site.until("it to stop at its money", lambda s: "c1" not in running(s))
        refused = await site.panel("take", code=text)
        assert (refused["news"], refused["refused"]["code"]) == (False, "old-number")
        site.link.mend()
        await site.sold_out()
        found = await site.audit({session["seq"]: account})
        assert len(found.opened) == 1
        assert found.closed[session["seq"]].amount_fen <= 200


@pytest.mark.timeout(300)
async def test_a_code_on_the_page_and_the_receipt_back_to_headquarters(tmp_path: Path) -> None:
    """By the phone alone: code in, bill and proof out, and headquarters holds the evidence before the log arrives."""
    async with plant(tmp_path, {}, make=Forecourt) as site:
        assert site.link is not None
        site.link.cut()
        account = site.customer("CARD-BOB", 2_000, at_home=False)
        form = "code=" + quote(site.code(account, "c2", 250, "bob-1"))
        started = await site.ask_page("/take?lang=en", form)
        assert "c2 has been started" in started
        assert account not in started
        found = re.search(r'href="(/receipt/[^"]+)"', started)
        assert found is not None
        link = found[1].replace("&amp;", "&")
        assert "Set aside" in await site.ask_page(link)
        await site.kill_daemon()
        await site.start_daemon()
        assert "c2" in await site.ask_page("/?lang=en")
        await site.until("it to stop at its money", lambda s: "c2" not in running(s))
        bill = await site.ask_page(link)
        assert "provisional" in bill
        receipt = await site.ask_page(link.replace("?", ".json?"))
        assert (await site.tell_headquarters(receipt))["state"] == "waiting"
        site.link.mend()
        await site.sold_out()
        assert (await site.tell_headquarters(receipt))["state"] == "agrees"
        assert "final" in await site.ask_page(link)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            await site.ask_page(link.split("?")[0])
        seq = int(link.partition("?")[0].rpartition("/")[2])
        found_at_the_end = await site.audit({seq: account})
        assert found_at_the_end.opened[seq].origin.via == "qr"


@pytest.mark.timeout(300)
async def test_codes_that_are_of_no_use(tmp_path: Path) -> None:
    """Another site's, a forged one, noise: refused with a reason, and not one record is written."""
    async with plant(tmp_path, {}, make=Forecourt) as site:
        account = site.customer("CARD-EVE", 2_000, at_home=False)
        text = site.code(account, "c1", 300, "eve-1")
        await site.until("everything to be sent", lambda s: s["journal"]["cosigned"] == s["journal"]["records"])
        before = (await site.status())["journal"]["records"]
        smudged = text[:60] + ("0" if text[60] != "0" else "1") + text[61:]
        for wrong in (smudged, text[:-30], "FT1:", "FT1:6BFOXN"):
            with pytest.raises(StageError):
                await site.panel("take", code=wrong)
            site.scan(wrong)
        assert "of no use" in await site.ask_page("/take?lang=en", "code=" + quote(smudged))
        after = (await site.status())["journal"]["records"]
        assert after - before <= 1  # the good one's grant may have come by the link meanwhile
