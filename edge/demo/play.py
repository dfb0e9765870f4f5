"""What every demo does: headquarters opened, customers' money taken, the link cut and mended, the day and its books."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from edge.demo.books import Line, Verdict, compare
from edge.demo.scenery import SITE, Customer
from edge.demo.screen import Screen
from edge.demo.stage import Stage, StageError
from protocols.trade.quantities import yuan

WAIT_S = 60.0


class Play(ABC):
    """A story on a stage, shown on a screen. `status` is the daemon's newest; None: it is not there."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        self.stage = stage
        self.screen = screen
        self.say = screen.say
        self.status: dict[str, Any] | None = None
        self.accounts: dict[str, str] = {}  # by card
        self._link_up = True
        self._told = 0  # records up to here have been told
        self._paid_in_fen = 0
        self._plans_fen = 0  # spent at headquarters, on plans

    @abstractmethod
    async def play(self) -> Verdict:
        """From the first customer to the books at the end."""

    @abstractmethod
    def tell_record(self, record: dict[str, Any]) -> None:
        """A new record in the site's log: what the screen says of it."""

    # --- headquarters and the box -------------------------------------------------------------------------------------

    async def admit(self) -> str:
        """Headquarters admits the box; its fingerprint."""
        fingerprint = self.stage.setup_box()
        await self.stage.hq("site", "add", SITE, "--device", fingerprint)
        (self.stage.site_home / "hq.vkeys").write_text("\n".join(await self.stage.hq("keys")) + "\n")
        return fingerprint

    async def pay_in(self, customers: Iterable[Customer], *limits: str) -> None:
        """An account with a card and money for each. limits: options of `account add`."""
        await asyncio.gather(*(self._pay_in(customer, limits) for customer in customers))

    async def _pay_in(self, customer: Customer, limits: tuple[str, ...]) -> None:
        home = ["--home-site", SITE] if customer.at_home else ["--placed", "5"]
        account = (await self.stage.hq("account", "add", "--card", customer.card, *limits, *home))["account"]
        self.screen.names[account] = customer.name
        self.accounts[customer.card] = account
        yuans, reference = yuan(customer.paid_in_fen), f"cash-{account}"
        await self.stage.hq("account", "top-up", account, yuans, "--reference", reference, "--channel", "cash")
        self._paid_in_fen += customer.paid_in_fen

    # --- the link -----------------------------------------------------------------------------------------------------

    def cut_link(self) -> None:
        assert self.stage.link is not None
        self.stage.link.cut()
        self._link_up = False
        self.say("the link to headquarters is cut", "red")

    async def mend_link(self) -> None:
        assert self.stage.link is not None
        journal = (await self.stage.panel("status"))["journal"]
        self.stage.link.mend()
        self._link_up = True
        self.say(f"the link is back; {journal['records'] - journal['cosigned']} records wait to be told", "green")

    async def kill(self, what: str) -> None:
        """SIGKILL for the daemon."""
        await self.stage.kill_daemon()
        self.status = None
        self.say(f"SIGKILL: {what}", "red")

    # --- the end ------------------------------------------------------------------------------------------------------

    async def close_day(self) -> None:
        """The day is closed, and headquarters has acknowledged all of it."""
        await self.stage.panel("day-close")
        self.say("the site day is closed")
        await self.until("headquarters' acknowledgement", lambda s: s["journal"]["cosigned"] == s["journal"]["records"])
        self.say("headquarters has stored, verified and posted everything, and cosigned the log's head")

    async def night(self) -> tuple[Path, dict[str, Any]]:
        """The report's page, and what it says; the nightly run ends with 1 when a fen, a Wh or a mL is unexplained."""
        folder = self.stage.root / "reports"
        report = await self.stage.hq("nightly", "--today", "--out", str(folder))
        self.say("the nightly report is written")
        return next(folder.glob("nightly-*.html")), report

    async def books(self) -> list[Line]:
        """The same money as the site and as headquarters have it."""
        hq = await self.stage.hq("books")
        return compare((await self.stage.panel("status"))["value"], hq, self._paid_in_fen, plans_fen=self._plans_fen)

    # --- looking ------------------------------------------------------------------------------------------------------

    async def until(self, what: str, true: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the daemon's status says so."""

        async def says_so() -> bool:
            await self._look()
            return self.status is not None and true(self.status)

        await self.wait(what, says_so)

    async def wait(self, what: str, true: Callable[[], Awaitable[bool]]) -> None:
        """Ask again and again. Raises StageError when it takes too long."""
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    if await true():
                        return
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise StageError(f"waited {WAIT_S:.0f} s in vain for {what}; see {self.stage.root / 'log'}") from None

    async def watch(self) -> None:
        """Keep the screen up to date, for ever."""
        while True:
            await self._look()
            await asyncio.sleep(0.5)

    async def look(self) -> dict[str, Any]:
        """The daemon's status; a story may add what else it waits for. Raises OSError, StageError."""
        status: dict[str, Any] = await self.stage.panel("status")
        return status

    async def _look(self) -> None:
        try:
            self.status = await self.look()
            await self._tell()
        except (OSError, StageError):
            self.status = None
        self.screen.show(self.status, link_up=self._link_up)

    async def _tell(self) -> None:
        """What is new in the log. Several may look at once; each record is told once."""
        for record in await self.stage.panel("records", first=self._told, limit=200):
            if record["seq"] >= self._told:
                self._told = record["seq"] + 1
                self.tell_record(record)
