"""What a pump is, whatever it speaks: nozzles, meters, a valve, one sale at a time. No I/O and no clock.

A flow of one mL per second moves one microlitre in a millisecond, so volumes are whole microlitres and adding up never
rounds. What the display makes of them stands in `display`.

    UNPRICED -prices-> IDLE -authorise-> AUTHORISED -flow-> DELIVERING -limit-> REACHED -hang up-> ENDED
    AUTHORISED, DELIVERING -suspend-> SUSPENDED -resume-> what it was     any of them -hang up, stop-> ENDED
    ENDED -close, reset, authorise-> IDLE or AUTHORISED     any -switch off-> SWITCHED_OFF -reset-> IDLE
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from drivers.pump import NozzleTotal
from drivers.twins.pumps import display
from drivers.twins.pumps.display import UL_PER_ML
from drivers.twins.pumps.parts import FULL, Change, EndedBy, Head, Nozzle, Phase, Preset, Refusal, Sale

_VALVE_OPEN = (Phase.AUTHORISED, Phase.DELIVERING)


@dataclass(slots=True)
class Meter:
    """A nozzle's totalizers. leak_ul_s: moves by itself, as from a leak or a creeping pulser."""

    ul: int
    fen: int
    leak_ul_s: int = 0
    leak_rest: int = 0  # thousandths of a microlitre


class Dispenser:
    """One fuelling point. Read its attributes freely; change it by its methods alone.

    Methods of the line (authorise, stop, ...) return why they did nothing, or None when they did. Methods of the
    customer's hand (lift, squeeze, ...) always work, as hands do.
    """

    def __init__(self, nozzles: Iterable[Nozzle], head: Head | None = None) -> None:
        self.head = Head() if head is None else head
        self.nozzles = {nozzle.number: nozzle for nozzle in nozzles}
        assert self.nozzles
        assert all(1 <= number <= 15 for number in self.nozzles)
        self.prices_e3 = {n.number: n.price_e3 for n in self.nozzles.values() if n.price_e3 is not None}
        self.meters = {n.number: Meter(n.total_ml * UL_PER_ML, n.total_fen) for n in self.nozzles.values()}
        self.phase = self._rest()
        self.since_ms = 0  # when `phase` began
        self.now_ms = 0
        self.powered = True
        self.alarm: str | None = None
        self.sale: Sale | None = None  # under way: AUTHORISED to REACHED
        self.memory: Sale | None = None  # the last one that ended
        self.sales = 0  # how many were authorised
        self.out: int | None = None  # the nozzle that is out and selected
        self.blocked: tuple[int, ...] = ()  # out too, and dead until hung up
        self.trigger_ml_s = 0
        self.tank_ul: int | None = None  # room left in the customer's tank; None: no end
        self.delivered_ul = dict.fromkeys(self.nozzles, 0)  # all that truly left each nozzle in sales, for auditors
        self.listeners: list[Callable[[Change], None]] = []
        self._resumes_as = Phase.AUTHORISED
        self._grip_ul: int | None = None  # what still flows before the trigger is let go

    # What is seen.

    @property
    def flow_ml_s(self) -> int:
        """What flows now."""
        if not self.powered or self.phase not in _VALVE_OPEN or self.tank_ul == 0:
            return 0
        assert self.sale is not None
        return min(self.trigger_ml_s, self.head.flow_ml_s_max) if self.out in self.sale.nozzles else 0

    @property
    def calling(self) -> bool:
        """A nozzle is out and waits for an authorisation."""
        return self.out is not None and self.phase is Phase.IDLE

    @property
    def selected(self) -> int | None:
        """The nozzle of the sale under way, else the one that is out."""
        return self.sale.nozzle if self.sale is not None and self.sale.nozzle is not None else self.out

    @property
    def shown(self) -> Sale | None:
        """The sale on the display: under way, else the last one."""
        return self.memory if self.sale is None else self.sale

    @property
    def shown_ml(self) -> int:
        return 0 if self.shown is None else self.volume_ml(self.shown)

    @property
    def shown_fen(self) -> int:
        return 0 if self.shown is None else self.amount_fen(self.shown)

    def volume_ml(self, sale: Sale) -> int:
        """As displayed: whole steps."""
        return display.volume_ml(self.head, sale)

    def amount_fen(self, sale: Sale) -> int:
        """As displayed: whole steps."""
        return display.amount_fen(self.head, sale)

    def total(self, number: int) -> NozzleTotal:
        """As the head shows it: whole steps, wrapped."""
        meter, sale = self.meters[number], self.sale
        ul, fen = meter.ul, meter.fen
        if sale is not None and sale.nozzle == number:
            ul, fen = (ul, fen + self.amount_fen(sale)) if self.head.totals_live else (ul - sale.ul, fen)
        return display.total(self.head, ul, fen)

    # What the line does.

    def authorise(self, preset: Preset = FULL, nozzles: Collection[int] | None = None) -> Refusal | None:
        """Begin a sale at any of `nozzles` (None: all), from IDLE or ENDED. What stands in memory stays there."""
        if refusal := self._refusal():
            return refusal
        if self.phase not in (Phase.IDLE, Phase.ENDED):
            return Refusal.PHASE
        allowed = tuple(self.nozzles) if nozzles is None else tuple(sorted(set(nozzles)))
        if not allowed or not set(allowed) <= self.nozzles.keys() or not display.takes(self.head, preset):
            return Refusal.LIMIT
        self.sales += 1
        self.sale = Sale(self.sales, preset, allowed)
        self._enter(Phase.AUTHORISED, Change.AUTHORISED)
        self._choose()
        return None

    def change_preset(self, preset: Preset) -> Refusal | None:
        """In mid-sale; the last one counts. One that is exceeded already ends the sale."""
        if self.sale is None or self.phase is Phase.REACHED:
            return Refusal.PHASE
        if not display.takes(self.head, preset):
            return Refusal.LIMIT
        self.sale.preset = preset
        if self.sale.price_e3 is not None:
            self._set_stop(self.sale)
            if self.sale.stop_ul is not None and self.sale.ul and self.sale.ul >= self.sale.stop_ul:
                self._over(EndedBy.LIMIT)
        return None

    def stop(self) -> Refusal | None:
        """End the sale, or take the authorisation back. Without one: nothing, or ENDED by `needs_reset`."""
        if not self.powered:
            return Refusal.DARK
        if self.phase is Phase.UNPRICED:
            return Refusal.UNPRICED
        if self.sale is not None and self.phase is not Phase.REACHED:
            self._run_over()
            self._over(EndedBy.STOPPED)
        elif self.sale is not None and not self.head.waits_after_stop:
            self._end()
        elif self.phase is Phase.SWITCHED_OFF or (self.phase is Phase.IDLE and self.head.needs_reset):
            self._enter(self._rest(), Change.ENDED)
        return None

    def suspend(self) -> Refusal | None:
        """Close the valve and keep the sale."""
        if refusal := self._refusal():
            return refusal
        if self.phase not in _VALVE_OPEN:
            return Refusal.PHASE
        self._run_over()
        self._resumes_as = self.phase
        self._enter(Phase.SUSPENDED, Change.SUSPENDED)
        return None

    def resume(self) -> Refusal | None:
        """Go on after `suspend`."""
        if refusal := self._refusal():
            return refusal
        if self.phase is not Phase.SUSPENDED:
            return Refusal.PHASE
        self._enter(self._resumes_as, Change.RESUMED)
        return None

    def close(self) -> Refusal | None:
        """ENDED or REACHED to IDLE; the sale stays in memory."""
        if refusal := self._refusal():
            return refusal
        if self.sale is not None and self.phase is Phase.REACHED:
            self._end()
        if self.phase not in (Phase.ENDED, Phase.IDLE):
            return Refusal.PHASE
        self._enter(Phase.IDLE, Change.CLOSED)
        return None

    def reset(self) -> Refusal | None:
        """As `close`, from SWITCHED_OFF too, and the memory is wiped."""
        if self.powered and self.phase is Phase.SWITCHED_OFF:
            self._enter(Phase.ENDED, None)
        if refusal := self.close():
            return refusal
        self.memory = None
        return None

    def set_prices(self, prices_e3: Mapping[int, int]) -> Refusal | None:
        """Of some nozzles or all; not in mid-sale. Once all have one, UNPRICED is over."""
        if not self.powered:
            return Refusal.DARK
        if self.sale is not None:
            return Refusal.PHASE
        if not prices_e3.keys() <= self.nozzles.keys() or any(price <= 0 for price in prices_e3.values()):
            return Refusal.LIMIT
        self.prices_e3.update(prices_e3)
        if self.phase is Phase.UNPRICED:
            self._enter(self._rest(), None)
        self._tell(Change.PRICED)
        return None

    def switch_off(self) -> Refusal | None:
        """Out of service; a sale ends."""
        if not self.powered:
            return Refusal.DARK
        if self.sale is not None:
            self._run_over()
            self._end(EndedBy.STOPPED)
        self._enter(Phase.SWITCHED_OFF, Change.SWITCHED_OFF)
        return None

    # What the customer's hand does.

    def lift(self, number: int) -> None:
        """Take a nozzle out. With another one out it is blocked until hung up again."""
        assert number in self.nozzles
        if number == self.out or number in self.blocked:
            return
        if self.out is not None or self.blocked:
            self.blocked += (number,)
            self._tell(Change.BLOCKED)
            return
        self.out = number
        self._tell(Change.LIFTED)
        if self.powered:
            self._choose()

    def hang_up(self, number: int | None = None) -> None:
        """Put a nozzle back; None: the selected one. Harmless when it is in."""
        number = self.out if number is None else number
        if number is None:
            return
        if number in self.blocked:
            self.blocked = tuple(n for n in self.blocked if n != number)
            self._tell(Change.HUNG_UP)
            return
        if number != self.out:
            return
        self.out, self.trigger_ml_s = None, 0
        self._tell(Change.HUNG_UP)
        if not self.powered or self.sale is None or self.sale.nozzle != number:
            return
        if self.phase is Phase.AUTHORISED and self.head.keeps_authorisation:
            self.sale.nozzle = self.sale.price_e3 = self.sale.stop_ul = self.sale.lands_fen = None
        else:
            self._end(EndedBy.HUNG_UP)

    def squeeze(self, ml_per_s: int, ml: int | None = None) -> None:
        """Hold the trigger of the selected nozzle, and let go after exactly `ml`; None: until released."""
        assert ml_per_s >= 0
        self.trigger_ml_s = ml_per_s if self.out is not None and ml != 0 else 0
        self._grip_ul = None if ml is None else ml * UL_PER_ML

    def release_trigger(self) -> None:
        self.trigger_ml_s = 0

    def park(self, room_ml: int | None) -> None:
        """Another tank: with so much room; None: no end."""
        self.tank_ul = None if room_ml is None else room_ml * UL_PER_ML

    # What time and the world do.

    def advance(self, ms: int) -> None:
        """Let time pass. A change inside is dated at the end: take small steps where the instant matters."""
        assert ms >= 0
        flow_ul = self.flow_ml_s * ms
        self.now_ms += ms
        for meter in self.meters.values():
            leaked, meter.leak_rest = divmod(meter.leak_ul_s * ms + meter.leak_rest, 1_000)
            meter.ul += leaked
        if flow_ul:
            self._flow(flow_ul)
        longest_ms = self.head.authorised_ms_max
        waits = self.powered and self.phase is Phase.AUTHORISED and longest_ms is not None
        if waits and longest_ms is not None and self.now_ms - self.since_ms >= longest_ms:
            self._end(EndedBy.TIMEOUT)

    def move_total(self, number: int, ml: int, fen: int = 0) -> None:
        """The totals move without a sale: a test run, a leak, a replaced meter (below 0)."""
        self.meters[number].ul = max(0, self.meters[number].ul + ml * UL_PER_ML)
        self.meters[number].fen = max(0, self.meters[number].fen + fen)

    def leak(self, number: int, ul_per_s: int) -> None:
        """From now on the total creeps; 0 ends it."""
        self.meters[number].leak_ul_s = ul_per_s

    def raise_alarm(self, word: str = "emergency-stop") -> None:
        """A sale ends; nothing is authorised until `clear_alarm`."""
        self.alarm = word
        if self.powered and self.sale is not None:
            self._end(EndedBy.EMERGENCY)
        self._tell(Change.ALARM)

    def clear_alarm(self) -> None:
        self.alarm = None

    def cut_power(self, *, forgets: bool = False) -> None:
        """Dark at once; a sale is over. What sale, memory and prices survive, `head` says; `forgets`: none."""
        if not self.powered:
            return
        if self.sale is not None:
            if (number := self.sale.nozzle) is not None:
                lost_ul = min(self.sale.ul, self.head.loses_ml * UL_PER_ML)
                self.sale.ul -= lost_ul
                self.meters[number].ul -= lost_ul
            self._end(EndedBy.POWER)
        elif self.phase is not Phase.ENDED:
            self.phase = self._rest()
        if forgets or not self.head.keeps_sale:
            self.memory, self.phase = None, self._rest()
        if forgets or not self.head.keeps_prices:
            self.prices_e3.clear()
            self.phase = Phase.UNPRICED
        self.powered, self.since_ms = False, self.now_ms
        self._tell(Change.DARK)

    def return_power(self) -> None:
        """As after power-on, in the phase that `cut_power` left."""
        if self.powered:
            return
        self.powered, self.since_ms = True, self.now_ms
        self._tell(Change.LIGHT)

    # Below: how.

    def _refusal(self) -> Refusal | None:
        if not self.powered:
            return Refusal.DARK
        if self.alarm is not None:
            return Refusal.ALARM
        if self.phase is Phase.SWITCHED_OFF:
            return Refusal.OFF
        return Refusal.UNPRICED if self.phase is Phase.UNPRICED else None

    def _rest(self) -> Phase:
        """The phase of a head that has nothing to do."""
        if self.prices_e3.keys() != self.nozzles.keys():
            return Phase.UNPRICED
        return Phase.ENDED if self.head.needs_reset else Phase.IDLE

    def _enter(self, phase: Phase, change: Change | None) -> None:
        self.phase, self.since_ms = phase, self.now_ms
        if change is not None:
            self._tell(change)

    def _tell(self, change: Change) -> None:
        for listener in tuple(self.listeners):
            listener(change)

    def _choose(self) -> None:
        """The nozzle that is out becomes that of the sale, if it may."""
        sale = self.sale
        if (
            sale is None
            or sale.nozzle is not None
            or self.phase is not Phase.AUTHORISED
            or self.out not in sale.nozzles
        ):
            return
        sale.nozzle, sale.price_e3 = self.out, self.prices_e3[self.out]
        self._set_stop(sale)

    def _set_stop(self, sale: Sale) -> None:
        assert sale.price_e3 is not None
        sale.stop_ul, sale.lands_fen = display.end_of(self.head, sale.preset, sale.price_e3)

    def _flow(self, ul: int) -> None:
        sale = self.sale
        assert sale is not None
        assert sale.nozzle is not None
        assert sale.stop_ul is not None
        if self._grip_ul is not None:
            ul = min(ul, self._grip_ul)
            self._grip_ul -= ul
            self.trigger_ml_s = self.trigger_ml_s if self._grip_ul else 0
        if sale.ul + ul >= sale.stop_ul:
            ul = max(0, sale.stop_ul - sale.ul) + self.head.overrun_ml * UL_PER_ML
        first = self.phase is Phase.AUTHORISED
        full = self._deliver(sale, sale.nozzle, ul)
        if first:
            self._enter(Phase.DELIVERING, Change.FLOW)
        if full:
            self.trigger_ml_s = 0
            self._tell(Change.CLICKED)
        if sale.ul >= sale.stop_ul and self.sale is sale:
            self._over(EndedBy.LIMIT)

    def _deliver(self, sale: Sale, number: int, ul: int) -> bool:
        """Whether the customer's tank is full with it."""
        if self.tank_ul is not None:
            ul = min(ul, self.tank_ul)
            self.tank_ul -= ul
        sale.ul += ul
        self.meters[number].ul += ul
        self.delivered_ul[number] += ul
        return self.tank_ul == 0

    def _run_over(self) -> None:
        """The last drops of a valve that is told to close while fuel flows."""
        if self.flow_ml_s and self.head.overrun_ml and self.sale is not None and self.sale.nozzle is not None:
            self._deliver(self.sale, self.sale.nozzle, self.head.overrun_ml * UL_PER_ML)

    def _over(self, by: EndedBy) -> None:
        """Nothing flows any more; whether the sale is over too depends on the nozzle."""
        assert self.sale is not None
        waits = by is EndedBy.LIMIT or (self.head.waits_after_stop and self.sale.ul > 0)
        if waits and self.out is not None:
            self.sale.ended_by = by
            self._enter(Phase.REACHED, Change.REACHED)
        else:
            self._end(by)

    def _end(self, by: EndedBy | None = None) -> None:
        sale = self.sale
        assert sale is not None
        sale.ended_by = by if sale.ended_by is None else sale.ended_by
        if sale.nozzle is not None:
            self.meters[sale.nozzle].fen += self.amount_fen(sale)
        if sale.ul or self.head.remembers_zero:
            self.memory = sale
        self.sale = None
        self._enter(Phase.ENDED, Change.ENDED)
