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
    FIRST_TOTAL_ML,
    LI,
    LIMITS,
    PASSWORD,
    PASSWORD_FILE,
    PRICES,
    PRICES_LATER,
    SHIFT,
    TANKS,
    WANG,
    ZHAO,
    prices_toml,
    terms_toml,
)
from edge.demo.play import WAIT_S, Play
from edge.demo.scenery import Customer
from edge.demo.stage import StageError
from protocols.trade.quantities import e3_of_yuan, litres, yuan, yuan_e3

SHANGHAI = timezone(timedelta(hours=8))
CHANGES_AFTER_S = 10
"""Prices change so long after the list with the change has been signed: in the middle of a lorry's filling."""
LEAKED_ML = 3_210
RECEIVED_ML = 9_950_000
STEP_ML = 10
"""One step of all totalizers here."""


class ForecourtScript(Play):
    """The story of the forecourt. `_bills`: how many each account has had."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._bills = Counter[str]()
        self._pinned: dict[str, int] = {}
        self._leaked_ml = 0

    async def play(self) -> Verdict:
        await self._open()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self.watch())
            await self._morning()
            await self._changes()
            await self._power()
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
        say("the daemon serves: each pump read, and showing the price list")
        for tank, (_, _, stock_l) in TANKS.items():
            await stage.panel("tank-dip", tank=tank, volume_ml=stock_l * 1000)
        say("the tanks are dipped")

    async def _morning(self) -> None:
        await self.stage.panel("fill", pump="1", card=LI.card, preset="money", amount=10_000)
        self.say("Li prepays ¥100 for pump 1 at the counter; Wang, who is not from here, fills up by card at pump 2")
        await self._come("p1", "fills:1")
        await self._drive_up("p2", "fills:2:24370", WANG)
        await self._billed(LI)
        await self._billed(WANG)

    async def _changes(self) -> None:
        """A price change, due with the link down, while one pump delivers."""
        changes = datetime.fromtimestamp(clock.system().wall_ms() / 1000, SHANGHAI) + timedelta(seconds=CHANGES_AFTER_S)
        await self._publish("price", prices_toml(changes))
        self.say(f"headquarters signs a price list that changes at {changes:%H:%M:%S}")
        await self.until("the new list", lambda _: self._pinned.get("fuel-prices", 0) >= 2)
        self.cut_link()
        await self._refuse()
        await self._drive_up("p3", "fills:1:48000", ZHAO)
        await self._until_pump("p3", "Zhao's lorry to be filled", lambda pump: pump["state"] == "delivering")
        await self.stage.panel("fill", pump="4", guarantee=self.accounts[SHIFT.card])
        self.say("Zhao fills the lorry at pump 3; the attendant lets pump 4 go, to be paid afterwards")
        await self._come("p4", "fills:1:18450")
        await self.until("the new prices", lambda s: all(_shows(pump, PRICES_LATER) for pump in s["pumps"][:2]))
        assert self.status is not None
        old = [pump["number"] for pump in self.status["pumps"] if pump["filling"] is not None]
        kept = f"; pump {' and '.join(map(str, old))}, with customers, keep theirs" if old else ""
        self.say(f"the time has come: idle pumps show {PRICES_LATER['92']} for 92#{kept}", "yellow")
        await self._until_pump("p4", "somebody to pay", lambda pump: (pump["filling"] or {}).get("phase") == "paying")
        self.stage.tap("island-2", CHEN.card)
        self.say("Chen hangs up at pump 4 and pays with his card")
        await self._billed(CHEN)
        await self._billed(ZHAO)
        self.say("the lorry has gone, and pump 3 follows")
        await self.until("the new prices everywhere", lambda s: all(_shows(pump, PRICES_LATER) for pump in s["pumps"]))

    async def _refuse(self) -> None:
        """A lorry's card at petrol."""
        await self._lift("p1", 1)
        self.stage.tap("island-1", ZHAO.card)
        await self._wait("the refusal", self._refused)
        self.say("Zhao's card is for diesel alone, and the nozzle in his hand is petrol: refused", "yellow")
        await self.stage.twin(do="hang-up", pump="p1", nozzle=1)

    async def _power(self) -> None:
        """The pump is dark for some seconds in mid-sale."""
        fault = {"kind": "power-cut", "at": "delivering", "after_ms": 15_000, "amount": 15_000}
        await self.stage.twin(do="pump-fault", pump="p1", fault=fault)
        await self.stage.panel("fill", pump="1", card=CHEN.card, preset="volume", amount=30_000)
        await self._come("p1", "fills:1")
        self.say("Chen comes again and orders 30 L at pump 1")
        await self._wait("the power cut", lambda: self._phase("p1", "dark"))
        self.say("pump 1 loses its power in the middle of the sale", "red")
        await self._billed(CHEN, 2)

    async def _murder(self) -> None:
        """A sale ends while the box is off, and somebody turns a totalizer by hand."""
        await self._drive_up("p2", "fills:1:30120", LI)
        await self._until_pump("p2", "Li's fuel to flow", lambda pump: (pump["filling"] or {}).get("volume_ml", 0) > 0)
        await self.kill("the daemon dies while Li fills up; he goes on, and hangs up")
        await self.stage.twin(do="pump-fault", pump="p4", fault={"kind": "leap", "amount": LEAKED_ML})
        self._leaked_ml = LEAKED_ML
        await self._wait("Li to hang up", lambda: self._phase("p2", "ended", "idle"))
        await self.stage.start_daemon()
        self.say("started again: the pump's memory and its totalizers say what was sold")
        await self._billed(LI, 2)
        await self.until("the litres that nobody sold", lambda _: self._bills[""] >= 1)

    async def _tanker(self) -> None:
        panel = self.stage.panel
        await panel("tank-receive", tank="t92", volume_ml=RECEIVED_ML, note="DN-2026-0042", grade="92")
        self.say(f"a tanker has brought {litres(RECEIVED_ML)} L of 92#")
        ran = await self._ran_ml()
        for tank, (grade, _, stock_l) in TANKS.items():
            out_ml = sum(ml for (pump, nozzle), ml in ran.items() if GRADES[pump][nozzle] == grade)
            received_ml = RECEIVED_ML if tank == "t92" else 0
            await panel("tank-dip", tank=tank, volume_ml=stock_l * 1000 + received_ml - out_ml - EVAPORATED_ML)
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
        """A customer at a pump, as `drivers.twins.pumps.customer` reads it."""
        await self.stage.twin(do="customer", pump=pump, who=who)

    async def _drive_up(self, pump: str, who: str, customer: Customer) -> None:
        """A customer lifts a nozzle and taps at the island; fills up once the pump may deliver."""
        await self._come(pump, who)
        await self._until_pump(pump, f"{customer.name}'s nozzle", lambda one: one["state"] == "calling")
        self.stage.tap("island-1" if pump in ("p1", "p2") else "island-2", customer.card)

    async def _lift(self, pump: str, nozzle: int) -> None:
        await self.stage.twin(do="lift", pump=pump, nozzle=nozzle)
        await self._until_pump(pump, "the nozzle", lambda one: one["state"] == "calling")

    async def _until_pump(self, name: str, what: str, true: Callable[[dict[str, Any]], bool]) -> None:
        await self.until(what, lambda s: true(next(pump for pump in s["pumps"] if pump["id"] == name)))

    async def _billed(self, customer: Customer, times: int = 1) -> None:
        account = self.accounts[customer.card]
        await self.until(f"{customer.name}'s bill", lambda _: self._bills[account] >= times)

    async def _wait(self, what: str, true: Callable[[], Any]) -> None:
        """Wait for what the twins or the daemon's log say."""
        for _ in range(int(WAIT_S / 0.1)):
            answer = true()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.1)
        raise StageError(f"waited {WAIT_S:.0f} s in vain for {what}; see {self.stage.root / 'log'}")

    async def _phase(self, pump: str, *phases: str) -> bool:
        """Whether the simulated pump itself is in one of these."""
        return (await self.stage.twin(do="state"))["pumps"][pump]["phase"] in phases

    def _refused(self) -> bool:
        return any(line["why"] == "wrong-grade" for line in self.stage.daemon_said("refused"))

    async def tell_record(self, record: dict[str, Any]) -> None:
        body = record["body"]
        match record["kind"]:
            case "config-applied":
                self._pinned.update({pin["kind"]: pin["version"] for pin in body["pins"]})
            case "filling-closed":
                account = record["moves"][0]["account"]
                self._bills[account] += 1
                name, at = self.screen.names.get(account, account), yuan_e3(body["sold"]["price_e3"])
                self.say(
                    f"{name}'s bill: {litres(body['volume_ml'])} L of {body['sold']['grade']}# at {at}, "
                    f"¥{yuan(body['amount_fen'])}", "cyan",
                )  # fmt: skip
            case "fuel-unattributed":
                self._bills[""] += 1
                left = f"{litres(body['volume_ml'])} L of {body['grade']}# at {body['pump']} that no sale explains"
                self.say(f"{left}: booked, and charged to nobody", "yellow")

    # --- the litres ---------------------------------------------------------------------------------------------------

    async def _ran_ml(self) -> dict[tuple[str, int], int]:
        """What each nozzle's totalizer went on by since the morning, by the simulated pump itself."""
        pumps = (await self.stage.twin(do="state"))["pumps"]
        return {
            (name, int(nozzle)): total_ml - total_ml % STEP_ML - FIRST_TOTAL_ML[name]
            for name, pump in pumps.items()
            for nozzle, total_ml in pump["totals_ml"].items()
        }

    async def _nozzles(self, report: Mapping[str, Any]) -> tuple[NozzleLine, ...]:
        ran, told = await self._ran_ml(), {(one["pump"], one["nozzle"]): one for one in report["nozzles"]}
        return tuple(
            NozzleLine(
                f"{pump} {one['grade']}#",
                ran[pump, nozzle],
                one["last_ml"] - one["first_ml"],
                one["sold_ml"],
                one["unattributed_ml"],
                one["rounding_ml"],
                one["missing_ml"],
            )
            for (pump, nozzle), one in sorted(told.items())
        )


GRADES = {"p1": {1: "92", 2: "95"}, "p2": {1: "92", 2: "95"}, "p3": {1: "0"}, "p4": {1: "92", 2: "0"}}


def _can_sell(status: dict[str, Any]) -> bool:
    ready = all(pump["state"] == "idle" and _shows(pump, PRICES) for pump in status["pumps"])
    waiting = sum(customer.at_home for customer in CUSTOMERS)
    return ready and (status["value"] or {}).get("accounts") == waiting


def _shows(pump: dict[str, Any], prices: Mapping[str, str]) -> bool:
    """Whether it has been read, and shows these on every nozzle."""
    return all(one["shown_e3"] == e3_of_yuan(prices[one["grade"]]) for one in pump["nozzles"])
