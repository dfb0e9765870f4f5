"""Who does what when at the shop front: from the first swap to the night's report, pack by pack."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from time import monotonic
from typing import Any

from edge.demo.books import Sheet, Verdict
from edge.demo.play import Play
from edge.demo.scenery import SITE, Customer
from edge.demo.screen import Screen
from edge.demo.shopfront_places import (
    CHEN,
    CUSTOMERS,
    DEPOSIT,
    DEPOSIT_FEN,
    HE,
    LI,
    LIMITS,
    PEOPLE,
    PLAN_FEN,
    PLAN_SWAPS,
    SUN,
    SWAPS,
    WANG,
    WU,
    ZHAO,
    ZHOU,
    port_prices_toml,
    swap_terms_toml,
    tariff_toml,
)
from edge.demo.stage import Stage, StageError
from protocols.trade.quantities import kwh, yuan

BIKE, CAR, LOCKER = ("rack", 3), ("pile", 1), ("lockers", 1)
SHOW_AGAIN_S = 6.0
"""A rider to whom no door opens shows the card once more."""


class ShopfrontScript(Play):
    """The story of the shop front. What the log has told so far: sessions that ended, by who had them."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        super().__init__(stage, screen)
        self._riders: dict[int, str] = {}  # by session
        self._held_fen: dict[int, int] = {}  # by session at a port, and by stay in a locker
        self._begun = Counter[str]()
        self._ended = Counter[str]()

    async def play(self) -> Verdict:
        await self._open()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self.watch())
            await self._morning()
            await self._offline()
            await self._murder()
            await self.mend_link()
            await self._return()
            await self._collect()
            await self._until_ended(ZHOU)
            await self._until_ended(WU)
            await self.close_day()
            await self._pay_out()
            page, report = await self.night()
            self._tell_night(report)
            watching.cancel()
        return Verdict(await self.books(), page, sheets=(await self._units(), await self._packs()))

    # --- the acts -----------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        stage, say = self.stage, self.say
        stage.clear()
        await stage.start_hq()
        await stage.start_twins()
        say("headquarters is open; cabinets of 12 and 4 slots, 10 ports and 12 lockers on RS-485, a pile that calls")
        fingerprint = await self.admit()
        await self.pay_in(CUSTOMERS, *LIMITS)
        await self._publish("swap-terms", swap_terms_toml())
        await self._publish("port-price", port_prices_toml())
        await self._publish("tariff", tariff_toml())
        say(f"headquarters admitted the box {fingerprint[:19]}… and took money from {len(CUSTOMERS)} customers")
        plan = (SWAPS, "--swaps", str(PLAN_SWAPS), "--daily", "6", "--site", SITE)
        await stage.hq("plan", "sell", self.accounts[LI.card], *plan, "--price", yuan(PLAN_FEN), "--reference", "p-1")
        self._plans_fen = PLAN_FEN
        await stage.hq(
            "account", "top-up", self.accounts[ZHAO.card], yuan(DEPOSIT_FEN), "--deposit", "--reference", "d-1"
        )
        say(f"Li has bought {PLAN_SWAPS} swaps for ¥{yuan(PLAN_FEN)}; Zhao has paid a deposit of ¥{yuan(DEPOSIT_FEN)}")
        await stage.start_daemon()
        await self.until("every slot, every port, and the customers' grants", _can_sell)
        say("the daemon serves: each slot has been read, and what stands in it is in the log")

    async def _morning(self) -> None:
        await self._plug(BIKE, ZHOU, room_wh=400, power_w=240)
        await self._plug(CAR, WU, room_wh=200, power_w=7_000)
        self.say("Zhou plugs in an e-bike at port 3, Wu a car at the pile; both tap their cards")
        await self._store()
        await self._come("cab-1", "swaps", LI)
        await self._come("cab-2", "swaps", CHEN)
        self.say("Li swaps a unit of the plan at the big cabinet, Chen pays ¥3.50 at the small one")
        await self._until_ended(LI)
        await self._until_ended(CHEN)
        await self.stage.panel("swap", cabinet="1", kind="rent", card=ZHAO.card)
        await self._come("cab-1", "rents", ZHAO)
        self.say("Zhao rents a pack for a month at the counter: ¥199.00, and the deposit")
        await self._until_ended(ZHAO)
        await self._come("cab-1", "brings-foreign", SUN)
        self.say("Sun has found a pack somewhere, and tries it")
        await self._until_ended(SUN)

    async def _offline(self) -> None:
        self.cut_link()
        await self._come("cab-1", "shuts-empty", WANG)
        await self._come("cab-2", "swaps", CHEN)
        self.say("Wang shuts the empty slot with nothing in it; Chen swaps again")
        await self._until_ended(WANG)
        await self._until_ended(CHEN, 2)

    async def _murder(self) -> None:
        await self._come("cab-1", "swaps", LI)
        await self.until("Li's full slot to open", lambda s: _step(s, "cab-1") == "given")
        await self._tell_twins(do="cabinet-fault", cabinet="cab-1", fault={"kind": "power-cut"})
        await self.kill("the cabinet goes dark, and the daemon dies, with Li's new pack behind an open door")
        await self.wait("Li to take it", self._nobody_there)
        await self._tell_twins(do="cabinet-clear", cabinet="cab-1", kind="power-cut")
        await self.stage.start_daemon()
        self.say("Li took it and shut the door; light again: the slot is empty, so the pack is Li's, and paid")
        await self._until_ended(LI, 2)

    async def _return(self) -> None:
        await self.stage.panel("swap", cabinet="cab-1", kind="return", card=ZHAO.card)
        await self._come("cab-1", "returns", ZHAO)
        self.say("Zhao brings the rented pack back")
        await self._until_ended(ZHAO, 2)

    async def _store(self) -> None:
        """He has a pack of his own: a locker charges it, until he comes again."""
        self.stage.tap(LOCKER[0], HE.card)
        await self.until(
            "a locker to open", lambda s: (_port(s, _named(LOCKER))["stay"] or {}).get("state") == "filling"
        )
        await self._reach_in(do="plug-in", room_wh=200, power_w=200)
        self.say("He taps at the lockers, puts his own pack into the one that opens, and shuts the door: it charges")

    async def _collect(self) -> None:
        place = _named(LOCKER)
        await self.wait("He's pack to be full", self._locker_rests)
        try:
            await self.stage.panel("locker-collect", place=place, card=SUN.card)
            raise StageError(f"{place} opened to a stranger's card")
        except StageError as error:
            if "not-owner" not in str(error):
                raise
        self.say("Sun finds He's pack full, and tries his own card: the locker stays shut", "yellow")
        self.stage.tap(LOCKER[0], HE.card)
        await self.until("his locker to open", lambda s: _port(s, place)["stay"] is None)
        await self._reach_in(do="plug-out")
        await self._until_ended(HE, 2)

    async def _locker_rests(self) -> bool:
        """By what is really so: the daemon was away when the board said it, and the door has not opened since."""
        board, port = LOCKER
        return not (await self.stage.twin(do="state"))["ports"][board][str(port)]["charging"]

    async def _pay_out(self) -> None:
        account = self.accounts[ZHAO.card]
        await self.stage.hq("account", "pay-out", account, yuan(DEPOSIT_FEN), "--deposit", "--reference", "o-1")
        self.say(f"headquarters has given Zhao's deposit back, and pays out the ¥{yuan(DEPOSIT_FEN)}")

    def _tell_night(self, report: Mapping[str, Any]) -> None:
        (site,) = report["sites"]
        shop, ports, fleet = site["shop"], site["ports"], report["fleet"]
        told = f"{shop['swapped']} swapped, {shop['taken']} rented, {shop['returned']} returned"
        self.say(
            f"  packs: {told}, {shop['cancelled']} cancelled; {fleet['in_slots']} stand, {fleet['with_riders']} ride"
        )
        told = f"{ports['sessions']} sessions, {kwh(ports['energy_wh'])} kWh, ¥{yuan(ports['amount_fen'])}"
        self.say(f"  ports: {told}; {ports['stays']} out of lockers, {ports['stored']} in there")
        legs = {leg["leg"]: leg["unexplained"] for leg in report["legs"]}
        self.say(f"  unexplained: {', '.join(f'{count} of {leg}' for leg, count in legs.items())}")

    # --- how ----------------------------------------------------------------------------------------------------------

    async def _publish(self, what: str, text: str) -> None:
        path = self.stage.hq_home / f"{what}.toml"
        path.write_text(text)
        await self.stage.hq(what, "set", str(path))

    async def _come(self, cabinet: str, kind: str, customer: Customer) -> None:
        """A rider at a cabinet, as `drivers.twins.cabinets.rider_words` has it: shows a card there, if need be, and
        shows it again where a busy machine could not say in time what stands there."""
        account, name = self.accounts[customer.card], _NAMES[customer.name]
        before, visit = self._begun[account], {"do": "rider", "cabinet": cabinet, "who": f"{kind}:{name}"}
        await self._tell_twins(**visit)
        if not PEOPLE[name]:
            return
        again_s = monotonic() + SHOW_AGAIN_S

        async def begun() -> bool:
            nonlocal again_s
            await self._look()
            if self._begun[account] == before and monotonic() > again_s:
                await self._tell_twins(do="leave", cabinet=cabinet)
                await self._tell_twins(**visit)
                again_s = monotonic() + SHOW_AGAIN_S
            return self._begun[account] > before

        await self.wait(f"{customer.name}'s card to count", begun)

    async def _nobody_there(self) -> bool:
        return not (await self.stage.twin(do="state"))["shop"]["here"]

    async def _plug(self, place: tuple[str, int], customer: Customer, **battery: int) -> None:
        board, port = place
        await self._tell_twins(do="plug-in", board=board, port=port, **battery)
        await self.until(f"{customer.name}'s plug", lambda s: _port(s, _named(place))["state"] == "plugged")
        self.stage.tap(board, customer.card)

    async def _reach_in(self, **hand: Any) -> None:
        """Behind the open door, and shut it: not before the till has seen it open, for no hand is as fast as this."""
        board, port = LOCKER
        await self._tell_twins(board=board, port=port, **hand)
        await self._tell_twins(do="shut-door", board=board, port=port)

    async def _tell_twins(self, **command: Any) -> None:
        answer = await self.stage.twin(**command)
        if not answer["ok"]:
            raise StageError(f"the twins cannot {command['do']}: {answer['error']}")

    async def _until_ended(self, customer: Customer, times: int = 1) -> None:
        account = self.accounts[customer.card]
        await self.until(f"the end of {customer.name}'s session", lambda _: self._ended[account] >= times)

    async def look(self) -> dict[str, Any]:
        status = await super().look()
        for verb in ("cabinets", "ports"):
            status[verb] = await self.stage.panel(verb)
        return status

    def tell_record(self, record: dict[str, Any]) -> None:
        body = record["body"]
        match record["kind"]:
            case "swap-opened":
                self._riders[record["seq"]] = body["account"]
                self._begun[body["account"]] += 1
            case "port-opened":
                self._riders[record["seq"]] = body["holds"][0]["account"]
                self._held_fen[record["seq"]] = body["holds"][0]["amount"]
            case "swap-stepped" if body["fault"]:
                self.say(f"  {self._name(body)}: {_FAULTS.get(body['fault'], '')} ({body['fault']})", "yellow")
            case "swap-closed":
                account = self._riders[body["session"]]
                self._ended[account] += 1
                paid = " and ".join(_paid(move) for move in record["moves"] if move["effect"] == "used") or "nothing"
                self.say(f"{self._name(body)}: {body['outcome']}{_case(body)}, {_moved(body)}; paid {paid}", "cyan")
            case "port-closed":
                self._ended[self._riders[body["session"]]] += 1
                bill_fen, held_fen = body["amount_fen"], self._held_fen[body["session"]]
                what = f"{kwh(body['energy_wh'])} kWh, ¥{yuan(bill_fen)} ({body['reason']})"
                self.say(f"{self._name(body)}'s bill: {what}; {_back(bill_fen, held_fen)}", "cyan")
            case "locker-opened":
                self._riders[record["seq"]] = body["account"]
                self._held_fen[record["seq"]] = sum(hold["amount"] for hold in body["holds"])
            case "locker-closed":
                self._ended[self._riders[body["stay"]]] += 1
                name, bill_fen = self.screen.names[self._riders[body["stay"]]], body["amount_fen"]
                back = _back(bill_fen, self._held_fen[body["stay"]])
                self.say(f"{name} has the pack: {body['outcome']}, ¥{yuan(bill_fen)} for late days; {back}", "cyan")

    # --- what came of it ----------------------------------------------------------------------------------------------

    async def _units(self) -> Sheet:
        """Swaps of plans, and deposits: what is no money to spend."""
        assets = {one["asset"]: one for one in (await self.stage.panel("status"))["assets"]}
        swaps, deposit = assets[SWAPS], assets[DEPOSIT]
        sold, paid = await asyncio.gather(*(self.stage.hq("books", "--asset", asset) for asset in (SWAPS, DEPOSIT)))
        (rental,) = await self.stage.hq("rental", "list", "--all")
        return Sheet(
            "Swaps of plans, and deposits",
            ("at the site", "at headquarters"),
            (
                ("swaps sold", str(PLAN_SWAPS), str(sold["paid_in"])),
                ("swaps used", str(swaps["used"]), str(sold["spent"])),
                ("swaps that wait at the site", str(swaps["rights"]), str(sold["at_sites"])),
                ("swaps used and left, together", str(PLAN_SWAPS), str(sold["free"] + swaps["rights"] + swaps["used"])),
                ("deposit taken with the pack", yuan(deposit["used"]), rental["deposit"]),
                ("deposit given back", yuan(deposit["used"]), rental["back"]),
                ("deposits held", yuan(0), yuan(paid["deposits"])),
                ("deposits paid out", yuan(DEPOSIT_FEN), yuan(paid["paid_out"])),
            ),
        )

    async def _packs(self) -> Sheet:
        """Every pack, by the simulated world itself and by headquarters."""
        truth: dict[str, str] = (await self.stage.twin(do="state"))["shop"]["places"]
        told = {one["code"]: self._place(one) for one in await self.stage.hq("pack", "list")}
        names = {short: name for name, short in _NAMES.items()}
        rows = [
            (code, names.get(place, place), told.get(code, "unknown to it"))
            for code, place in truth.items()
            if not code.endswith("-foreign")
        ]
        return Sheet("The packs", ("in truth", "by headquarters"), tuple(sorted(rows, key=lambda row: _order(row[1]))))

    def _name(self, body: Mapping[str, Any]) -> str:
        return self.screen.names[self._riders[body["session"]]]

    def _place(self, pack: Mapping[str, Any]) -> str:
        """As the simulated world says it."""
        if pack["at"] == "slot":
            return f"{pack['cabinet']}/{pack['slot']}"
        return self.screen.names.get(pack["account"], str(pack["at"]))


_NAMES = dict(zip((LI.name, WANG.name, ZHAO.name, CHEN.name, SUN.name), PEOPLE, strict=True))
_FAULTS = {
    "F-21": "nothing was put in, so the slot opens once more",
    "F-23": "the pack is not the fleet's, so the door opens again",
    "F-56": "the daemon was away",
}


def _back(bill_fen: int, held_fen: int) -> str:
    """Of what was set aside, what the bill did not use."""
    return f"¥{yuan(held_fen - bill_fen)} of the ¥{yuan(held_fen)} held are back"


def _moved(body: Mapping[str, Any]) -> str:
    """What went in and what came out, by the end of its code."""
    into = f"in {body['returned']['code'][-6:]}" if body["returned"] else ""
    out = f"out {body['taken']['code'][-6:]} at {body['taken']['soc_permille'] / 10:.0f} %" if body["taken"] else ""
    return ", ".join(part for part in (into, out) if part) or "no pack"


def _paid(move: Mapping[str, Any]) -> str:
    match move["asset"]:
        case "CNY":
            return f"¥{yuan(move['amount'])}"
        case "DEPOSIT":
            return f"a deposit of ¥{yuan(move['amount'])}"
        case asset:
            return f"{move['amount']} of {asset}"


def _case(body: Mapping[str, Any]) -> str:
    return f" ({body['fault']})" if body["fault"] else ""


def _order(place: str) -> tuple[str, int]:
    """Slots by number, then riders."""
    cabinet, _, slot = place.partition("/")
    return (cabinet, int(slot)) if slot else (f"~{place}", 0)


def _step(status: Mapping[str, Any], cabinet: str) -> str:
    swap = next(one["swap"] for one in status["cabinets"] if one["id"] == cabinet)
    return "" if swap is None else str(swap["step"])


def _named(place: tuple[str, int]) -> str:
    board, port = place
    return f"{board}.{port}"


def _port(status: Mapping[str, Any], place: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in status["ports"] if one["place"] == place)
    return found


def _can_sell(status: Mapping[str, Any]) -> bool:
    slots = [slot for cabinet in status["cabinets"] for slot in cabinet["slots"]]
    seen = all(slot["door"] == "shut" and slot["holds"] != "unsure" for slot in slots)
    ports = all(port["state"] is not None for port in status["ports"])
    waits = {one["asset"] for one in status["assets"]} == {SWAPS, DEPOSIT}
    return seen and ports and waits and (status["value"] or {}).get("accounts") == len(CUSTOMERS)
