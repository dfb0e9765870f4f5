"""Who does what when: the story of the demo, from the first tap to the night's report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from edge import clock
from edge.demo.books import Line, compare
from edge.demo.places import CHEN, CUSTOMERS, LI, SITE, WANG, ZHAO, Customer, tariff_toml
from edge.demo.screen import Screen
from edge.demo.stage import Stage, StageError
from protocols.trade.quantities import kwh, yuan

SHANGHAI = timezone(timedelta(hours=8))
RISES_AFTER_S = 12
"""The price rises this long after the tariff is set: some seconds into the first sessions."""
WAIT_S = 25.0


class Script:
    """The story. `names` fills as accounts are opened."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        self._stage = stage
        self._screen = screen
        self._status: dict[str, Any] | None = None
        self._link_up = True
        self._sold: set[int] = set()

    async def play(self) -> tuple[list[Line], Path]:
        """The books at the end, and the page of the night's report."""
        await self._open()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            await self._morning()
            await self._offline()
            await self._murder()
            await self._home()
            report = await self._night()
            watching.cancel()
        hq = await self._stage.hq("books")
        status = await self._stage.panel("status")
        paid_in = sum(customer.paid_in_fen for customer in CUSTOMERS)
        return compare(status["value"], hq, paid_in), report

    # --- the acts -----------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        stage, say = self._stage, self._screen.say
        stage.clear()
        await stage.start_hq()
        await stage.start_twins()
        say("headquarters is open; two chargers and two meters on RS-485, one of each on Modbus TCP")
        fingerprint = stage.setup_box()
        await stage.hq("site", "add", SITE, "--device", fingerprint)
        (stage.site_home / "hq.vkeys").write_text("\n".join(await stage.hq("keys")) + "\n")
        await asyncio.gather(*(self._pay_in(customer) for customer in CUSTOMERS))
        rises = datetime.fromtimestamp(clock.system().wall_ms() / 1000, SHANGHAI) + timedelta(seconds=RISES_AFTER_S)
        (stage.hq_home / "tariff.toml").write_text(tariff_toml(rises))
        await stage.hq("tariff", "set", str(stage.hq_home / "tariff.toml"))
        say(f"headquarters admitted the box {fingerprint[:19]}… and took money from {len(CUSTOMERS)} customers")
        await stage.start_daemon()
        say("the daemon serves")
        await self._until("a tariff and the customers' grants", self._can_sell)

    async def _pay_in(self, customer: Customer) -> None:
        home = ["--home-site", SITE] if customer.at_home else ["--placed", "5"]
        account = (await self._stage.hq("account", "add", "--card", customer.card, *home))["account"]
        self._screen.names[account] = customer.name
        yuans, reference = yuan(customer.paid_in_fen), f"cash-{account}"
        await self._stage.hq("account", "top-up", account, yuans, "--reference", reference, "--channel", "cash")

    async def _morning(self) -> None:
        say = self._screen.say
        await self._plug("c1", LI, capacity_wh=60_000, energy_wh=20_000)
        await self._plug("c3", WANG, capacity_wh=1_000, energy_wh=955)
        say("Li and Wang plug in and tap their cards")
        await self._until("two sessions", lambda s: _charging(s) == {"c1", "c3"})
        await asyncio.sleep(3)

    async def _offline(self) -> None:
        say = self._screen.say
        assert self._stage.link is not None
        self._stage.link.cut()
        self._link_up = False
        say("the link to headquarters is cut", "red")
        await self._plug("c2", CHEN, capacity_wh=60_000, energy_wh=20_000)
        say(f"Chen, who has {yuan(CHEN.paid_in_fen)} left, plugs in and taps: the site knows what it may sell her")
        await self._until("Wang's battery to be full", lambda s: "c3" not in _busy(s))
        await self._unplug("c3")
        await self._plug("c3", ZHAO, capacity_wh=60_000, energy_wh=30_000)
        say("Wang's battery is full; Zhao takes the place and taps, still offline")
        await self._until("Zhao to charge", lambda s: "c3" in _charging(s))
        await self._until("Chen's cut-off", lambda s: "c2" not in _busy(s))
        await self._unplug("c2")
        await asyncio.sleep(2)

    async def _murder(self) -> None:
        say = self._screen.say
        await self._stage.kill_daemon()
        self._status = None
        say("SIGKILL: the daemon dies in the middle of two sessions; the cars go on charging", "red")
        await asyncio.sleep(1.5)
        await self._stage.start_daemon()
        say("started again: both sessions go on, with their payers and their registers")
        await self._until("both sessions", lambda s: _busy(s) == {"c1", "c3"})
        await asyncio.sleep(4)
        self._stage.tap("c1", LI.card)
        say("Li taps again to stop; Zhao pulls the plug")
        await asyncio.sleep(1)
        await self._unplug("c3")
        await self._until("the last bill", lambda s: not _busy(s))

    async def _home(self) -> None:
        assert self._stage.link is not None
        journal = (await self._stage.panel("status"))["journal"]
        backlog = journal["records"] - journal["cosigned"]
        self._stage.link.mend()
        self._link_up = True
        self._screen.say(f"the link is back; {backlog} records wait to be told", "green")
        await self._stage.panel("day-close")
        self._screen.say("the site day is closed")
        await self._until(
            "headquarters' acknowledgement", lambda s: s["journal"]["cosigned"] == s["journal"]["records"]
        )
        self._screen.say("headquarters has stored, verified and posted everything, and cosigned the log's head")

    async def _night(self) -> Path:
        """The report's page; the nightly run ends with 1 when a fen or a watt-hour is unexplained."""
        folder = self._stage.root / "reports"
        await self._stage.hq("nightly", "--today", "--out", str(folder))
        self._screen.say("the nightly report is written")
        return next(folder.glob("nightly-*.html"))

    # --- how ----------------------------------------------------------------------------------------------------------

    async def _plug(self, connector: str, customer: Customer, **car: int) -> None:
        await self._stage.twin(
            do="plug", outlet=connector, car={**car, "power_w_max": 22_000, "curve": [[0, 1000], [1000, 1000]]}
        )
        await self._until(f"the car at {connector}", lambda s: _connector(s, connector)["iec"] in ("B", "C"))
        self._stage.tap(connector, customer.card)

    async def _unplug(self, connector: str) -> None:
        await self._stage.twin(do="unplug", outlet=connector)

    async def _until(self, what: str, true: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the daemon's status says so."""
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    await self._look()
                    if self._status is not None and true(self._status):
                        return
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise StageError(f"waited {WAIT_S:.0f} s in vain for {what}; see {self._stage.root / 'log'}") from None

    async def _watch(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(0.5)

    async def _look(self) -> None:
        try:
            self._status = await self._stage.panel("status")
            await self._tell_bills()
        except (OSError, StageError):
            self._status = None
        self._screen.show(self._status, link_up=self._link_up)

    async def _tell_bills(self) -> None:
        for record in await self._stage.panel("records", kind="session-closed", first=0, limit=100):
            if record["seq"] in self._sold:
                continue
            self._sold.add(record["seq"])
            body, account = record["body"], record["moves"][0]["account"]
            periods = len({line["period"] for line in body["lines"] if line["code"] == "energy"})
            across = " at two prices" if periods > 1 else ""
            name = self._screen.names.get(account, account)
            self._screen.say(
                f"{name}'s bill: {kwh(body['energy_wh'])} kWh{across}, ¥{yuan(body['amount_fen'])} ({body['reason']})",
                "cyan",
            )

    def _can_sell(self, status: dict[str, Any]) -> bool:
        known = all(connector["iec"] == "A" and connector["register_wh"] for connector in status["connectors"])
        waiting = sum(customer.at_home for customer in CUSTOMERS)
        return known and status["tariff"] is not None and (status["value"] or {}).get("accounts") == waiting


def _connector(status: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(connector for connector in status["connectors"] if connector["id"] == name)
    return found


def _busy(status: dict[str, Any]) -> set[str]:
    return {connector["id"] for connector in status["connectors"] if connector["session"] is not None}


def _charging(status: dict[str, Any]) -> set[str]:
    sessions = {connector["id"]: connector["session"] for connector in status["connectors"]}
    return {name for name, session in sessions.items() if session and session["phase"] == "charging"}
