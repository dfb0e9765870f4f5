"""Who does what when at the charging site: from the first tap to the night's report."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

from edge import clock
from edge.demo.books import Verdict
from edge.demo.places import CHEN, CUSTOMERS, LI, WANG, ZHAO, tariff_toml
from edge.demo.play import Play
from edge.demo.scenery import Customer
from protocols.trade.quantities import kwh, yuan

SHANGHAI = timezone(timedelta(hours=8))
RISES_AFTER_S = 12
"""The price rises this long after the tariff is set: some seconds into the first sessions."""


class Script(Play):
    """The story of the charging site."""

    async def play(self) -> Verdict:
        """The books at the end, and the page of the night's report."""
        await self._open()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self.watch())
            await self._morning()
            await self._offline()
            await self._murder()
            await self.mend_link()
            await self.close_day()
            page, _ = await self.night()
            watching.cancel()
        return Verdict(await self.books(), page)

    # --- the acts -----------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        stage, say = self.stage, self.say
        stage.clear()
        await stage.start_hq()
        await stage.start_twins()
        say("headquarters is open; two chargers and two meters on RS-485, one of each on Modbus TCP")
        fingerprint = await self.admit()
        await self.pay_in(CUSTOMERS)
        rises = datetime.fromtimestamp(clock.system().wall_ms() / 1000, SHANGHAI) + timedelta(seconds=RISES_AFTER_S)
        (stage.hq_home / "tariff.toml").write_text(tariff_toml(rises))
        await stage.hq("tariff", "set", str(stage.hq_home / "tariff.toml"))
        say(f"headquarters admitted the box {fingerprint[:19]}… and took money from {len(CUSTOMERS)} customers")
        await stage.start_daemon()
        say("the daemon serves")
        await self.until("a tariff and the customers' grants", _can_sell)

    async def _morning(self) -> None:
        await self._plug("c1", LI, capacity_wh=60_000, energy_wh=20_000)
        await self._plug("c3", WANG, capacity_wh=1_000, energy_wh=955)
        self.say("Li and Wang plug in and tap their cards")
        await self.until("two sessions", lambda s: _charging(s) == {"c1", "c3"})
        await asyncio.sleep(3)

    async def _offline(self) -> None:
        say = self.say
        self.cut_link()
        await self._plug("c2", CHEN, capacity_wh=60_000, energy_wh=20_000)
        say(f"Chen, who has {yuan(CHEN.paid_in_fen)} left, plugs in and taps: the site knows what it may sell her")
        await self.until("Wang's battery to be full", lambda s: "c3" not in _busy(s))
        await self._unplug("c3")
        await self._plug("c3", ZHAO, capacity_wh=60_000, energy_wh=30_000)
        say("Wang's battery is full; Zhao takes the place and taps, still offline")
        await self.until("Zhao to charge", lambda s: "c3" in _charging(s))
        await self.until("Chen's cut-off", lambda s: "c2" not in _busy(s))
        await self._unplug("c2")
        await asyncio.sleep(2)

    async def _murder(self) -> None:
        say = self.say
        await self.kill("the daemon dies in the middle of two sessions; the cars go on charging")
        await asyncio.sleep(1.5)
        await self.stage.start_daemon()
        say("started again: both sessions go on, with their payers and their registers")
        await self.until("both sessions", lambda s: _busy(s) == {"c1", "c3"})
        await asyncio.sleep(4)
        self.stage.tap("c1", LI.card)
        say("Li taps again to stop; Zhao pulls the plug")
        await asyncio.sleep(1)
        await self._unplug("c3")
        await self.until("the last bill", lambda s: not _busy(s))

    # --- how ----------------------------------------------------------------------------------------------------------

    async def _plug(self, connector: str, customer: Customer, **car: int) -> None:
        await self.stage.twin(
            do="plug", outlet=connector, car={**car, "power_w_max": 22_000, "curve": [[0, 1000], [1000, 1000]]}
        )
        await self.until(f"the car at {connector}", lambda s: _connector(s, connector)["iec"] in ("B", "C"))
        self.stage.tap(connector, customer.card)

    async def _unplug(self, connector: str) -> None:
        await self.stage.twin(do="unplug", outlet=connector)

    def tell_record(self, record: dict[str, Any]) -> None:
        if record["kind"] != "session-closed":
            return
        body, account = record["body"], record["moves"][0]["account"]
        periods = len({line["period"] for line in body["lines"] if line["code"] == "energy"})
        across = " at two prices" if periods > 1 else ""
        name = self.screen.names.get(account, account)
        energy, price = kwh(body["energy_wh"]), yuan(body["amount_fen"])
        self.say(f"{name}'s bill: {energy} kWh{across}, ¥{price} ({body['reason']})", "cyan")


def _can_sell(status: dict[str, Any]) -> bool:
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
