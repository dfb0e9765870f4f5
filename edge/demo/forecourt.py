"""Who does what when at the forecourt: from the first card to the night's report, litre by litre."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from edge import clock
from edge.demo.books import NozzleLine, Verdict
from edge.demo.forecourt_places import (
    CHEN,
    CUSTOMERS,
    EVAPORATED_ML,
    LI,
    LIMITS,
    PASSWORD,
    PASSWORD_FILE,
    PRICES,
    PRICES_LATER,
    PUMPS,
    SHIFT,
    TANKS,
    TOTAL_STEP_ML,
    WANG,
    ZHAO,
    prices_toml,
    terms_toml,
)
from edge.demo.play import Play
from edge.demo.scenery import Customer
from edge.demo.screen import Screen
from edge.demo.stage import Stage
from protocols.trade.quantities import e3_of_yuan, litres, yuan, yuan_e3

SHANGHAI = timezone(timedelta(hours=8))
CHANGES_AFTER_S = 10
"""Prices change so long after the list with the change has been signed: in the middle of a lorry's filling."""
LEAPED_ML = 3_210
"""What somebody lets out of a pump while the box is off."""
RECEIVED_ML = 9_950_000


class ForecourtScript(Play):
    """The story of the forecourt. What the log has told so far: bills by account, litres of nobody, documents."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        super().__init__(stage, screen)
        self._bills = Counter[str]()
        self._unattributed_ml = 0
        self._pinned: dict[str, int] = {}

    async def play(self) -> Verdict:
        await self._open()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self.watch())
            await self._morning()
            await self._price_change()
            await self._power_cut()
            await self._murder()
            await self._tanker()
            await self.mend_link()
            await self.close_day()
            page, report = await self.night()
            self._tell_night(report)
            watching.cancel()
        return Verdict(await self.books(), page, await self._nozzles(report))

    # --- the acts -----------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        stage, say = self.stage, self.say
        stage.clear()
        password = stage.site_home / PASSWORD_FILE
        password.touch(0o600)
        password.write_text(PASSWORD + "\n")
        await stage.start_hq()
        await stage.start_twins()
        say("headquarters is open; pumps: 1 DART on RS-485, 2 Gilbarco on a current loop, 3 AZT, 4 behind a PTS-2")
        fingerprint = await self.admit()
        await self.pay_in(CUSTOMERS, *LIMITS)
        await self._publish("price", prices_toml())
        await self._publish("fuel-terms", terms_toml(self.accounts[ZHAO.card]))
        say(f"headquarters admitted the box {fingerprint[:19]}… and took money from {len(CUSTOMERS)} customers")
        await stage.start_daemon()
        await self.until("prices on all pumps, and the customers' grants", _can_sell)
        say("the daemon serves: each pump has been read, and shows the price list")
        for tank in TANKS:
            await stage.panel("tank-dip", tank=tank.id, volume_ml=tank.stock_l * 1000)
        say("the tanks are dipped")

    async def _morning(self) -> None:
        await self.stage.panel("fill", pump="1", card=LI.card, preset="money", amount=10_000)
        await self._come("p1", "fills:1")
        self.say("Li prepays ¥100 for pump 1 at the counter; Wang, who is not from here, fills up by card at pump 2")
        await self._drive_up("p2", "fills:2:24370", WANG)
        await self._billed(LI)
        await self._billed(WANG)

    async def _price_change(self) -> None:
        """Due with the link down, while a lorry is filled and somebody fills first to pay later."""
        changes = datetime.fromtimestamp(clock.system().wall_ms() / 1000, SHANGHAI) + timedelta(seconds=CHANGES_AFTER_S)
        await self._publish("price", prices_toml(changes))
        self.say(f"headquarters signs a price list that changes at {changes:%H:%M:%S}")
        await self.until("the new list", lambda _: self._pinned.get("fuel-prices", 0) >= 2)
        self.cut_link()
        await self._refuse()
        await self._drive_up("p3", "fills:1:48000", ZHAO)
        await self._until_pump("p3", "Zhao's lorry to be filled", lambda pump: pump["state"] == "delivering")
        await self.stage.panel("fill", pump="4", guarantee=self.accounts[SHIFT.card])
        await self._come("p4", "fills:1:18450")
        self.say("Zhao fills the lorry at pump 3; the attendant lets pump 4 go, to be paid afterwards")
        await self.until("the new prices", lambda s: all(_shows(pump, PRICES_LATER) for pump in s["pumps"][:2]))
        assert self.status is not None
        busy = " and ".join(f"{pump['number']}" for pump in self.status["pumps"] if pump["filling"] is not None)
        kept = f"; at pump {busy} the customers' price stays" if busy else ""
        self.say(f"the time has come: idle pumps show {PRICES_LATER['92']} for 92#{kept}", "yellow")
        await self._until_pump("p4", "somebody to pay", lambda pump: (pump["filling"] or {}).get("phase") == "paying")
        self.stage.tap("island-2", CHEN.card)
        self.say("Chen has hung up at pump 4 and pays with his card")
        await self._billed(CHEN)
        await self._billed(ZHAO)
        self.say("the lorry has gone, and pump 3 follows")
        await self.until("the new prices everywhere", lambda s: all(_shows(pump, PRICES_LATER) for pump in s["pumps"]))

    async def _refuse(self) -> None:
        """A lorry's card at petrol."""
        await self.stage.twin(do="lift", pump="p1", nozzle=1)
        await self._until_pump("p1", "the nozzle", lambda pump: pump["state"] == "calling")
        self.stage.tap("island-1", ZHAO.card)
        await self.wait("the refusal", self._refused)
        self.say("Zhao's card is for diesel alone, and the nozzle in his hand is petrol: refused", "yellow")
        await self.stage.twin(do="hang-up", pump="p1", nozzle=1)

    async def _power_cut(self) -> None:
        """The pump is dark for some seconds in mid-sale."""
        fault = {"kind": "power-cut", "at": "delivering", "after_ms": 15_000, "amount": 15_000}
        await self.stage.twin(do="pump-fault", pump="p1", fault=fault)
        await self.stage.panel("fill", pump="1", card=CHEN.card, preset="volume", amount=30_000)
        await self._come("p1", "fills:1")
        self.say("Chen comes again and orders 30 L at pump 1")
        await self.wait("the power cut", lambda: self._is("p1", "dark"))
        self.say("pump 1 loses its power in the middle of the sale", "red")
        await self._billed(CHEN, 2)

    async def _murder(self) -> None:
        """A sale ends while the box is off, and a totalizer moves that nobody looks at."""
        await self._drive_up("p2", "fills:1:22150", LI)
        await self._until_pump("p2", "Li's fuel to flow", lambda pump: (pump["filling"] or {}).get("volume_ml", 0) > 0)
        await self.kill("the daemon dies while Li fills up; he goes on, and hangs up")
        await self.stage.twin(do="pump-fault", pump="p4", fault={"kind": "leap", "amount": LEAPED_ML})
        await self.wait("Li to hang up", lambda: self._is("p2", "ended", "idle"))
        await self.stage.start_daemon()
        self.say("started again: the pump's memory and its totalizers say what was sold")
        await self._billed(LI, 2)
        await self.until("the litres that nobody sold", lambda _: self._unattributed_ml == LEAPED_ML)

    async def _tanker(self) -> None:
        panel, out_ml = self.stage.panel, Counter[str]()
        await panel("tank-receive", tank="t92", volume_ml=RECEIVED_ML, note="DN-2026-0042", grade="92")
        self.say(f"a tanker has brought {litres(RECEIVED_ML)} L of 92#")
        ran_ml = await self._ran_ml()
        for pump in PUMPS:
            for nozzle, grade in enumerate(pump.grades, 1):
                out_ml[grade] += ran_ml[pump.id, nozzle]
        for tank in TANKS:
            held_ml = tank.stock_l * 1000 + (RECEIVED_ML if tank.id == "t92" else 0)
            await panel("tank-dip", tank=tank.id, volume_ml=held_ml - out_ml[tank.grade] - EVAPORATED_ML)
        self.say("the tanks are dipped again")

    def _tell_night(self, report: Mapping[str, Any]) -> None:
        (site,) = report["sites"]
        for one in site["fuel"]["grades"]:
            fillings = f"{one['fillings']} filling{'s' * (one['fillings'] != 1)}"
            nobody = f", {litres(one['unattributed_ml'])} L nobody's" if one["unattributed_ml"] else ""
            self.say(f"  {one['grade']}#: {fillings}, {litres(one['volume_ml'])} L, ¥{yuan(one['amount_fen'])}{nobody}")
        for one in site["fuel"]["stock"]:
            variance = "no dip" if one["variance_ml"] is None else f"{litres(one['variance_ml'])} L"
            self.say(f"  tank {one['tank']}: should hold {litres(one['expected_ml'] or 0)} L, variance {variance}")

    # --- how ----------------------------------------------------------------------------------------------------------

    async def _publish(self, what: str, text: str) -> None:
        path = self.stage.hq_home / f"{what}.toml"
        path.write_text(text)
        await self.stage.hq(what, "set", str(path))

    async def _come(self, pump: str, who: str) -> None:
        """A customer at a pump, as `drivers.twins.pumps.customer` reads it: lifts, fills once allowed, hangs up."""
        await self.stage.twin(do="customer", pump=pump, who=who)

    async def _drive_up(self, pump: str, who: str, customer: Customer) -> None:
        """The same, with a card at the island once the nozzle is out."""
        await self._come(pump, who)
        await self._until_pump(pump, f"{customer.name}'s nozzle", lambda one: one["state"] == "calling")
        self.stage.tap(next(one.island for one in PUMPS if one.id == pump), customer.card)

    async def _billed(self, customer: Customer, times: int = 1) -> None:
        account = self.accounts[customer.card]
        await self.until(f"{customer.name}'s bill", lambda _: self._bills[account] >= times)

    async def _until_pump(self, name: str, what: str, true: Callable[[dict[str, Any]], bool]) -> None:
        await self.until(what, lambda s: true(next(pump for pump in s["pumps"] if pump["id"] == name)))

    async def _is(self, pump: str, *phases: str) -> bool:
        """Whether the simulated pump itself is in one of these."""
        return (await self.stage.twin(do="state"))["pumps"][pump]["phase"] in phases

    async def _refused(self) -> bool:
        return any(line["why"] == "wrong-grade" for line in self.stage.daemon_said("refused"))

    def tell_record(self, record: dict[str, Any]) -> None:
        body = record["body"]
        match record["kind"]:
            case "config-applied":
                self._pinned |= {pin["kind"]: pin["version"] for pin in body["pins"]}
            case "filling-closed":
                account, sold = record["moves"][0]["account"], body["sold"]
                self._bills[account] += 1
                name = self.screen.names.get(account, account)
                what = f"{litres(body['volume_ml'])} L of {sold['grade']}# at {yuan_e3(sold['price_e3'])}"
                self.say(f"{name}'s bill: {what}, ¥{yuan(body['amount_fen'])}", "cyan")
            case "fuel-unattributed":
                self._unattributed_ml += body["volume_ml"]
                what = f"{litres(body['volume_ml'])} L of {body['grade']}# at {body['pump']}"
                self.say(f"{what} that no sale explains: booked, and charged to nobody", "yellow")

    # --- the litres ---------------------------------------------------------------------------------------------------

    async def _ran_ml(self) -> dict[tuple[str, int], int]:
        """What each nozzle's totalizer went on by since the morning, by the simulated pump itself."""
        pumps = (await self.stage.twin(do="state"))["pumps"]
        return {
            (pump.id, int(nozzle)): total_ml - total_ml % TOTAL_STEP_ML - pump.total_ml
            for pump in PUMPS
            for nozzle, total_ml in pumps[pump.id]["totals_ml"].items()
        }

    async def _nozzles(self, report: Mapping[str, Any]) -> tuple[NozzleLine, ...]:
        """Every nozzle of the forecourt; one that headquarters does not know has not been told of."""
        told = {(one["pump"], one["nozzle"]): one for one in report["nozzles"]}
        lines = []
        for (pump, nozzle), ran_ml in (await self._ran_ml()).items():
            one = told[pump, nozzle]
            told_ml, split = (
                one["last_ml"] - one["first_ml"],
                ("sold_ml", "unattributed_ml", "rounding_ml", "missing_ml"),
            )
            lines.append(NozzleLine(f"{pump} {one['grade']}#", ran_ml, told_ml, *(one[part] for part in split)))
        return tuple(lines)


def _can_sell(status: dict[str, Any]) -> bool:
    ready = all(pump["state"] == "idle" and _shows(pump, PRICES) for pump in status["pumps"])
    waiting = sum(customer.at_home for customer in CUSTOMERS)
    return ready and (status["value"] or {}).get("accounts") == waiting


def _shows(pump: dict[str, Any], prices: Mapping[str, str]) -> bool:
    """Whether it has been read, and shows these on every nozzle."""
    return all(one["shown_e3"] == e3_of_yuan(prices[one["grade"]]) for one in pump["nozzles"])
