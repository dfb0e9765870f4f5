"""Who says that each settlement of a port is billed once, and that no locker opens to a stranger or loses a pack?

The auditor's part for boards. It sees each order begin, each door open and each settlement that a board may forget, and
reads each record as it becomes durable. What an order truly delivered is the board's own, to the millijoule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from sim_ports import ASKED_MS, BY_HAND, WH, PortStand, Told
from sim_wrong import Wrong, expect

from drivers.port_board import PortEnd, mark_of, order_number
from drivers.twins.ports.outlet import Job
from protocols.trade import port_prices
from protocols.trade.port_prices import PortPrice, PortPrices
from protocols.trade.records import SessionHeld, SessionVoided, Stamp
from protocols.trade.records_port import (
    LockerClosed,
    LockerDoor,
    LockerOpened,
    LockerOverdue,
    LockerStored,
    PortClosed,
    PortDayClosed,
    PortOpened,
    PortUnattributed,
)
from protocols.trade.tariff import Tariff

Dearest = Callable[[Tariff, int, int], int]
"""The dearest price around a stretch of time, e3 per kWh."""


class Claim(NamedTuple):
    """What a record says of an order. energy_wh, elapsed_s: of a void, None."""

    what: str  # billed, estimated, nobody's, void
    energy_wh: int | None
    elapsed_s: int | None


@dataclass
class Order:
    """A session at a port. held: it has been held for review. inherited: it was begun at another place, before its
    disk was copied.
    """

    board: str
    place: str
    opened: PortOpened
    number: bytes
    holds: dict[str, int]
    opened_ms: int
    held: bool = False
    inherited: bool = False


@dataclass
class Stay:
    """Whose a locker is. who: by their card; empty: nobody knows. act: what its door may open for, since act_ms."""

    board: str
    port: int
    opened: LockerOpened
    holds: dict[str, int]
    opened_ms: int
    act: str = "store"
    stored: bool = False
    inherited: bool = False


@dataclass(frozen=True)
class OrderView:
    """What the auditor knows of a branch's ports when somebody copies its disk."""

    orders: dict[int, Order]
    stays: dict[int, Stay]
    claims: dict[bytes, list[Claim]]
    day: list[int]


@dataclass
class Orders:
    """The truth of ports and lockers, and what is claimed of them."""

    start_utc_ms: int
    tariffs: Mapping[bytes, Tariff]
    dearest: Dearest
    seen: Callable[[str], None]
    stands: dict[tuple[str, str], PortStand] = field(default_factory=dict)
    orders: dict[tuple[str, int], Order] = field(default_factory=dict)
    stays: dict[tuple[str, int], Stay] = field(default_factory=dict)
    claims: dict[tuple[str, bytes], list[Claim]] = field(default_factory=dict)
    prices: dict[bytes, PortPrices] = field(default_factory=dict)
    days: dict[str, list[int]] = field(default_factory=dict)
    settled: int = 0
    settled_wh: int = 0
    nobodys: int = 0

    # --- histories ---------------------------------------------------------------------------------------------------

    def view(self, branch: str) -> OrderView:
        return OrderView(
            {seq: _copied(one) for (at, seq), one in self.orders.items() if at == branch},
            {seq: replace(one, holds=dict(one.holds)) for (at, seq), one in self.stays.items() if at == branch},
            {number: list(claims) for (at, number), claims in self.claims.items() if at == branch},
            list(self.days.get(branch, [0] * 7)),
        )

    def fork(self, view: OrderView, branch: str, stands: Mapping[str, PortStand]) -> None:
        """A box goes on from there, at these boards, whatever else has followed: what they tell may be of another
        order with the same number.
        """
        for seq, order in view.orders.items():
            self.orders[branch, seq] = replace(_copied(order), inherited=True)
        for seq, stay in view.stays.items():
            self.stays[branch, seq] = replace(stay, holds=dict(stay.holds), inherited=True)
        for number, claims in view.claims.items():
            self.claims[branch, number] = list(claims)
        self.days[branch] = list(view.day)
        self.stand_at(branch, stands)
        for stand in stands.values():
            stand.excused = True

    def stand_at(self, branch: str, stands: Mapping[str, PortStand]) -> None:
        """What the boxes of this branch order is delivered at these boards from now on."""
        for name, stand in stands.items():
            self.stands[branch, name] = stand
        for (at, _), order in self.orders.items():
            order.inherited |= at == branch
        for (at, _), stay in self.stays.items():
            stay.inherited |= at == branch

    def abandon(self, branch: str) -> None:
        """No box lives this history any more."""
        self.orders = {key: one for key, one in self.orders.items() if key[0] != branch}
        self.stays = {key: one for key, one in self.stays.items() if key[0] != branch}
        self.stands = {key: one for key, one in self.stands.items() if key[0] != branch}

    # --- at the board ------------------------------------------------------------------------------------------------

    def began(self, branch: str, stand: PortStand, job: Job) -> None:
        """A relay closes for an order: a durable record says for whom, and what he has set aside."""
        place = stand.place(job.port)
        found = [one for one in self._orders(branch) if one.number == job.number and one.place == place]
        if not found:
            raise Wrong("durable-before-acting", f"{branch} {place} delivers, and no durable record says for whom")
        (order,) = found
        if not any(order.holds.values()):
            raise Wrong("hold-before-start", f"{branch} {place} delivers, and nothing is set aside for it")
        opened = order.opened
        told = {"time": (job.limit_ms or 0) // 1000, "energy": (job.limit_mj or 0) // WH, "full": 0}
        expect("order-as-opened", f"{branch} {place}", opened.order_limit, told[opened.order_kind])

    def door(self, branch: str, stand: PortStand, port: int) -> None:
        """A door springs open: for somebody whom a durable record lets in, and who stands there."""
        place, now_ms = stand.place(port), stand.now_ms()
        where = f"{branch} {place}"
        recent = {who for (at, who), asked in stand.asked.items() if at == port and now_ms - asked <= ASKED_MS}
        if not recent:
            raise Wrong("nobody-there", f"{where}: the door opens, and nobody is there any more")
        stay = self._stay_at(branch, stand, port)
        if stay is None or (stay.act == "store" and stay.stored):
            raise Wrong("durable-before-acting", f"{where}: the door opens, and no durable record lets it")
        owner = stand.packs.get(port)
        if stay.act in ("store", "collect") and owner not in (None, *recent) and not stand.excused:
            raise Wrong("opens-to-its-owner", f"{where}: it has {owner}'s pack, and opens to {sorted(recent)}")
        if stay.act in ("remove", "look") and BY_HAND not in recent:
            raise Wrong("opens-to-its-owner", f"{where}: opens to staff, and nobody of them is there")
        stand.opened_to[port] = stay.act
        self.seen(f"locker opens to {stay.act}")

    def forgotten(self, branch: str, stand: PortStand, told: Told) -> None:
        """A board is told that a settlement is stored: some durable record has it."""
        one = told.settlement
        claims = self.claims.get((branch, one.number), [])
        if any(_is_of(claim, told) for claim in claims):
            return
        if stand.excused and any(claim.what == "void" for claim in claims):
            return
        what = f"{branch} {stand.place(one.port)}: {one.energy_wh} Wh, {one.elapsed_s} s"
        raise Wrong("stored-before-forgotten", f"{what}, and of {one.number.hex()} the log says {claims}")

    # --- in the log --------------------------------------------------------------------------------------------------

    def has(self, branch: str, session: int) -> bool:
        """Whether that is a session at a port, or a stay."""
        return (branch, session) in self.orders or (branch, session) in self.stays

    def opened(self, branch: str, seq: int, body: PortOpened, epoch: int, stamp: Stamp) -> Order:
        """The session, with nothing held for it yet."""
        place = f"{body.board}.{body.port}"
        if any(one.place == place for one in self._orders(branch)):
            raise Wrong("one-session-each", f"{branch} {place} has two sessions")
        stand = self._stand(branch, body.board)
        number = order_number(epoch, seq, mark_of(stamp.boot, stamp.mono_ms))
        order = Order(body.board, place, body, number, {}, stand.now_ms())
        self.orders[branch, seq] = order
        return order

    def closed(self, branch: str, body: PortClosed, captured: Mapping[str, int]) -> Order:
        """The bill: what its board told, no more than what flowed, at its price."""
        order = self.orders.pop((branch, body.session))
        stand, where = self._stand(branch, order.board), f"{branch}/{body.session}"
        stand.settle()
        _within(where, order.holds, captured)
        paid_fen = sum(fen for its, fen in captured.items() if " " not in its)
        expect("bill-is-captured", where, body.amount_fen, paid_fen + body.overrun_fen)
        if not body.settled and not order.held:
            raise Wrong("waits-for-the-settlement", f"{where}: billed by what was seen last, and nobody has waited")
        if body.overrun_fen:
            raise Wrong("cut-off", f"{where}: {body.overrun_fen} fen beyond holds of {order.holds}")
        claim = Claim("billed" if body.settled else "estimated", body.energy_wh, body.elapsed_s)
        self._claim(branch, order.number, claim)
        if body.settled and not order.inherited and not stand.excused:
            self._was_told(where, order, stand, body)
        if not order.inherited and not stand.excused:
            self._flowed(where, order, stand, body)
        if body.settled and body.energy_wh and body.meter_record is None:
            raise Wrong("meter-record", f"{where} has none")
        self._priced(where, order, stand, body)
        sums = self._sums(branch)
        for index, value in enumerate((1, body.energy_wh or 0, body.amount_fen)):
            sums[index] += value
        self.settled += body.settled
        self.settled_wh += (body.energy_wh or 0) if body.settled else 0
        self.seen(f"port {body.reason}{'' if body.settled else ', not settled'}")
        return order

    def voided(self, branch: str, body: SessionVoided) -> Order | Stay:
        """A session, or a stay, that came to nothing."""
        stay = self.stays.pop((branch, body.session), None)
        if stay is not None:
            self.seen(f"locker {body.reason}")
            return stay
        order = self.orders.pop((branch, body.session))
        stand = self._stand(branch, order.board)
        stand.settle()
        job = stand.known.get(order.number)
        sure = not (order.held or order.inherited or stand.excused)
        if sure and job is not None and job.ended is None:
            raise Wrong("void-while-it-runs", f"{branch}/{body.session}: {order.place} delivers, and nobody will pay")
        self._claim(branch, order.number, Claim("void", None, None))
        self.seen(f"port void {body.reason}")
        return order

    def stay_opened(self, branch: str, seq: int, body: LockerOpened) -> Stay:
        """A locker is given to somebody, with nothing held for it yet."""
        where, stand = f"{branch} {body.board}.{body.port}", self._stand(branch, body.board)
        here = [one for (at, _), one in self.stays.items() if at == branch]
        if any((one.board, one.port) == (body.board, body.port) for one in here):
            raise Wrong("one-session-each", f"{where} is somebody's")
        owner = stand.packs.get(body.port)
        if owner is not None and not stand.excused:
            raise Wrong("loses-no-pack", f"{where}: given to somebody, and {owner}'s pack is in it")
        stay = Stay(body.board, body.port, body, {}, stand.now_ms())
        self.stays[branch, seq] = stay
        return stay

    def stay_closed(self, branch: str, body: LockerClosed, captured: Mapping[str, int]) -> Stay:
        """The pack is out, or its owner stands before the open door."""
        stay = self.stays.pop((branch, body.stay))
        stand, where = self._stand(branch, stay.board), f"{branch}/{body.stay}"
        stand.settle()
        _within(where, stay.holds, captured)
        paid_fen = sum(fen for its, fen in captured.items() if " " not in its)
        expect("bill-is-captured", where, body.amount_fen, paid_fen + body.overrun_fen)
        price = self._price(stay.opened)
        stay_ms = max(0, stand.now_ms() - stay.opened_ms) + 60_000
        days = min(price.late_days_max, -(-max(0, stay_ms // 1000 - price.late_free_s) // 86_400))
        if body.amount_fen > ceil(Fraction(days * price.late_e3, 1000)) and not stay.inherited:
            raise Wrong("never-above-the-price", f"{where}: {body.amount_fen} fen for {stay_ms // 1000} s")
        sums = self._sums(branch)
        sums[5] += 1
        sums[6] += body.amount_fen
        self.seen(f"locker {body.outcome}")
        return stay

    def told(
        self, branch: str, body: LockerStored | LockerDoor | LockerOverdue | PortUnattributed | PortDayClosed
    ) -> None:
        """Whatever neither opens a session or a stay nor ends it."""
        match body:
            case LockerStored():
                self.stays[branch, body.stay].stored = True
            case LockerDoor():
                self._door_let(branch, body)
            case PortUnattributed():
                self._unattributed(branch, body)
            case PortDayClosed():
                said = [body.sessions, body.energy_wh, body.amount_fen, body.unattributed, body.unattributed_wh]
                said += [body.stays, body.late_fen]
                expect("day-sums", f"{branch}: ports of day {body.day}", self.days.pop(branch, [0] * 7), said)
            case LockerOverdue():
                self.seen("locker overdue")

    def held(self, branch: str, body: SessionHeld) -> None:
        self.orders[branch, body.session].held = True
        self.seen(f"port held: {body.finding}")

    # --- the end -----------------------------------------------------------------------------------------------------

    def unfinished(self, branch: str) -> list[str]:
        """What boards still want to tell, and packs that nobody can fetch any more."""
        found = []
        for (at, name), stand in self.stands.items():
            if at != branch:
                continue
            stand.settle()
            if stand.untold():
                found.append(f"{branch}: {name} still tells {len(stand.untold())} settlements")
            here = {one.port for (place, _), one in self.stays.items() if place == branch and one.board == name}
            lost = {port: who for port, who in stand.packs.items() if port not in here}
            if lost and not stand.excused:
                found.append(f"{branch}: {name} has packs of {lost}, and nobody may open their doors")
        return found

    def check_energy(self, branch: str) -> None:
        """Every Wh that an order delivered is in a record, where its settlement was not lost."""
        for (at, name), stand in self.stands.items():
            if at != branch or stand.excused:
                continue
            for told in stand.told:
                claims = self._everywhere(told.settlement.number)
                if not told.gone and not any(_is_of(claim, told) for claim in claims):
                    raise Wrong("every-settlement", f"{branch} {name}: {told.settlement}: {claims}")
            shown = {one.job.number for one in stand.told if one.job is not None}
            shown |= {job.number for job in stand.world.unsettled.values()}  # a door has still to be opened for them
            for job in stand.world.truth:
                if job.number not in shown and stand.shown_wh(job):
                    raise Wrong("every-wh", f"{branch} {name}: an order of {stand.shown_wh(job)} Wh is not settled")

    # --- how ---------------------------------------------------------------------------------------------------------

    def _orders(self, branch: str) -> list[Order]:
        return [one for (at, _), one in self.orders.items() if at == branch]

    def _stay_at(self, branch: str, stand: PortStand, port: int) -> Stay | None:
        here = [one for (at, _), one in self.stays.items() if at == branch]
        return next((one for one in here if (one.board, one.port) == (stand.name, port)), None)

    def _stand(self, branch: str, board: str) -> PortStand:
        return self.stands[branch, board]

    def _everywhere(self, number: bytes) -> list[Claim]:
        return [claim for (_, its), claims in self.claims.items() if its == number for claim in claims]

    def _claim(self, branch: str, number: bytes, claim: Claim) -> None:
        """Once each: what has been billed, or written down, is not told a second time."""
        claims = self.claims.setdefault((branch, number), [])
        same = [one for one in claims if one[1:] == claim[1:] and one.what != "estimated"]
        if same and claim.what in ("billed", "nobody's"):
            raise Wrong("settled-once", f"{branch}: {number.hex()} is {claim}, and was {same}")
        claims.append(claim)

    def _was_told(self, where: str, order: Order, stand: PortStand, body: PortClosed) -> None:
        said = [one.settlement for one in stand.told if one.settlement.number == order.number]
        agree = [
            one
            for one in said
            if one.energy_wh in (None, body.energy_wh) and one.elapsed_s == body.elapsed_s
            and one.amount_fen == body.own_fen and stand.place(one.port) == order.place
        ]  # fmt: skip
        if not agree:
            raise Wrong("as-told", f"{where}: billed {body.energy_wh} Wh, {body.elapsed_s} s; its board told {said}")

    def _flowed(self, where: str, order: Order, stand: PortStand, body: PortClosed) -> None:
        job = stand.known.get(order.number)
        mj, elapsed_ms = (0, 0) if job is None else (job.energy_mj, job.elapsed_ms)
        second = any(one.job is None and one.settlement.number == order.number for one in stand.told)
        if (body.energy_wh or 0) * WH > mj and not second:
            raise Wrong("only-what-flowed", f"{where}: billed {body.energy_wh} Wh, {mj / WH:.1f} Wh flowed")
        if (body.elapsed_s or 0) * 1000 > elapsed_ms:
            raise Wrong("only-what-flowed", f"{where}: billed {body.elapsed_s} s, {elapsed_ms} ms passed")

    def _priced(self, where: str, order: Order, stand: PortStand, body: PortClosed) -> None:
        price, amount_fen = self._price(order.opened), body.amount_fen
        if price.by == "energy":
            e6 = Fraction((body.energy_wh or 0) * price.energy_e3, 1_000_000) + Fraction(price.session_e3, 1_000)
            expect("price", where, int(e6 + Fraction(1, 2)), amount_fen)
            return
        job = stand.known.get(order.number)
        if job is None or order.inherited or stand.excused:
            return
        if price.by == "time":
            steps = price.steps
            top = next((n for n, step in enumerate(steps) if job.peak_w <= step.power_w), len(steps) - 1)
            seconds = max(-(-job.elapsed_ms // 1000), price.least_s)
            most = Fraction(seconds * max(step.price_e3 for step in steps[: top + 1]), 3_600_000)
        else:
            most = self._dearest_fen(order, stand)
        if amount_fen > ceil(most + Fraction(price.session_e3, 1_000)):
            raise Wrong("never-above-the-price", f"{where}: {amount_fen} fen of {float(most):.1f}")

    def _dearest_fen(self, order: Order, stand: PortStand) -> Fraction:
        tariff = self.tariffs[next(pin.hash for pin in order.opened.pins if pin.kind == "tariff")]
        e6 = Fraction(0)
        for from_ms, to_ms, flow in stand.flows.get(order.number, []):
            e6 += Fraction(flow, WH) * self.dearest(tariff, self.start_utc_ms + from_ms, self.start_utc_ms + to_ms)
        return e6 / 1_000_000 + Fraction(tariff.session_e3, 1_000)

    def _price(self, body: PortOpened | LockerOpened) -> PortPrice:
        prices = self.prices[next(pin.hash for pin in body.pins if pin.kind == port_prices.KIND)]
        return next(one for one in prices.prices if one.name == body.price)

    def _door_let(self, branch: str, body: LockerDoor) -> None:
        stay = self.stays[branch, body.stay]
        if body.act == "collect" and not stay.stored:
            raise Wrong("stored-before-collected", f"{branch}/{body.stay}")
        if body.act == "collect" and body.origin.via == "card":
            mine = stay.opened.origin.credential
            if mine and mine != body.origin.credential and not stay.opened.account:
                raise Wrong("opens-to-its-owner", f"{branch}/{body.stay}: another card opens it")
        stay.act = body.act

    def _unattributed(self, branch: str, body: PortUnattributed) -> None:
        self._claim(branch, body.number, Claim("nobody's", body.energy_wh, body.elapsed_s))
        sums = self._sums(branch)
        sums[3] += 1
        sums[4] += body.energy_wh or 0
        self.nobodys += 1
        self.seen(f"settlement {body.why}")

    def _sums(self, branch: str) -> list[int]:
        return self.days.setdefault(branch, [0] * 7)


def _is_of(claim: Claim, told: Told) -> bool:
    """Whether a record has this settlement. What says that nothing was delivered needs no more than a void."""
    one = told.settlement
    if claim.what == "void":
        return not one.energy_wh and (one.energy_wh == 0 or not one.elapsed_s or one.end is PortEnd.NO_LOAD)
    if claim.what == "estimated":
        return False
    return one.energy_wh in (None, claim.energy_wh) and one.elapsed_s in (None, claim.elapsed_s)


def _within(where: str, holds: Mapping[str, int], captured: Mapping[str, int]) -> None:
    for its, units in captured.items():
        if units > holds.get(its, 0):
            raise Wrong("capture-within-hold", f"{where}: {units} of {holds} of {its}")


def _copied(order: Order) -> Order:
    return replace(order, holds=dict(order.holds))
