"""DART pumps (Wayne and others): a `drivers.pump.Pump` over one address of a line.

What a pump acknowledges has only come; what it does shows in its states (DC1). So every act here says its block, asks
for the status, and waits for the state. An order is given as RESET, nozzles, preset, AUTHORIZE: RESET wipes the last
sale, so it is never sent but by `authorise`, whose caller has it stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from drivers.api import Link, Point, Quality, Reading
from drivers.errors import DeviceError, DeviceFault, Unsupported
from drivers.line import Line, Priority
from drivers.polling import Poller
from drivers.pump import SELLS, NozzleTotal, Order, PumpState, PumpStatus, PumpTraits, Sale
from drivers.pumps.config import PumpConfig
from drivers.pumps.dart_dialogue import TRIES, DartDialogue
from drivers.pumps.dart_options import DartOptions
from drivers.pumps.dart_order import preset, price_digits, price_list
from drivers.pumps.dart_picture import SELLING, Picture
from drivers.pumps.dart_points import points
from protocols.fieldbus.dart_app import (
    AMOUNT_COUNTER,
    DIGITS_MAX,
    PRICE_MAX,
    TOTAL_MAX,
    Allow,
    Ask,
    AskAmountTotal,
    AskTotals,
    Command,
    FromController,
    Resume,
    State,
    Suspend,
)

PERIOD_S: Final = 0.2  # between polls; 100 to 250 ms are sensible
STATUS_PERIOD_S: Final = 5.0  # between questions for the status, in case the pump does not tell by itself
STALE_MS: Final = 3000
STOPPABLE: Final = (*SELLING, State.RESET)
PROGRAMMED: Final = (State.RESET, State.COMPLETED)
STOPPED: Final = (State.COMPLETED, State.NOT_PROGRAMMED, State.SWITCHED_OFF)
TAKES_ORDERS: Final = (PumpState.IDLE, PumpState.CALLING, PumpState.ENDED)
TAKES_PRICES: Final = (PumpState.UNPRICED, PumpState.IDLE, PumpState.ENDED)


class DartPump:
    """One fuelling point. Nothing is sent until `run` or a read.

    read_prices: the pump shows the price of a selected nozzle only (DC3). Of the others it gives what the pump has
    taken from `set_prices`, until the pump shows one that differs, loses its prices or was away.
    read_totals: raises Transient during a sale, and until the nozzle is hung up: a pump counts them only then.
    """

    profile_id = "dart"

    def __init__(self, line: Line, config: PumpConfig) -> None:
        self.id = config.id
        self._options = config.options_as(DartOptions)
        self._scales = scales = config.scales
        self.traits = PumpTraits(
            nozzles=config.nozzle_numbers,
            volume_step_ml=scales.volume_ml(1),
            amount_step_fen=scales.amount_fen(1),
            price_step_e3=scales.price_e3(1),
            total_step_ml=scales.total_ml(1),
            total_ml_wraps=scales.total_ml(TOTAL_MAX + 1),
            amount_max_fen=scales.amount_fen(DIGITS_MAX),
            volume_max_ml=scales.volume_ml(DIGITS_MAX),
            price_max_e3=scales.price_e3(PRICE_MAX),
            lift_first=self._options.lift_first,
            can_suspend=self._options.suspend != "none",
            flow_ml_s_max=config.flow_ml_s_max,
        )
        self._poll_s = config.poll_s or PERIOD_S
        self._picture = Picture(scales)
        self._pump = DartDialogue(line, config, self._options, self._picture)
        self._stops = 0
        self._act = asyncio.Lock()  # one order, price change or suspension at a time; a stop does not wait for it

    # What is known. No I/O.

    def link(self) -> Link:
        return self._pump.talk.device.link()

    def points(self) -> list[Point]:
        """What the pump has told of itself."""
        return points(self._picture, self._pump.talk.master, self._scales, self.status().quality, self._pump.at_ms)

    def status(self) -> Reading[PumpStatus]:
        """As last polled; a poll that brings nothing new says that all is as told."""
        status = self._picture.status()
        if status is None or self._pump.at_ms is None:
            return Reading(None, Quality.NONE, self._pump.at_ms)
        old = _now_ms() - self._pump.at_ms > max(STALE_MS, 4000 * self._poll_s)
        return Reading(status, Quality.STALE if old else Quality.GOOD, self._pump.at_ms)

    # Reads.

    async def read_status(self) -> Reading[PumpStatus]:
        """Ask now. Raises DeviceError when the pump does not tell."""
        async with self._pump.at_it():
            await self._pump.ask_status()
            return self.status()

    async def read_totals(self) -> Mapping[int, NozzleTotal]:
        """By nozzle, read now. Raises Transient during a sale, until the nozzle is hung up, and when none come."""
        async with self._pump.at_it():
            await self._pump.know_status()
            state = self._picture.pump_state
            if state in SELLS or (self._picture.nozzle_out and not self._options.totals_lifted):
                raise self._pump.transient(f"its totals are not read in state {self._pump.reason}, with a nozzle out")
            return {nozzle: await self._read_total(nozzle) for nozzle in self.traits.nozzles}

    async def read_sale(self) -> Sale | None:
        """The last sale, read now; one of zero where the pump came up without one. None: it is reset, or is selling."""
        async with self._pump.at_it():
            await self._pump.know_status()
            if self._picture.state != State.COMPLETED:
                return None
            told = self._picture.fillings_told
            await self._pump.ask_for(
                "its last sale (DC2)", Command(Ask.FILLING), lambda: self._picture.fillings_told > told
            )
            sold, shown = self._picture.filled, self._picture.nozzle_price
            assert sold is not None
            self._picture.sale_read = True
            nozzle, price = self._picture.sale_nozzle, self._picture.sale_price
            if nozzle is None and shown is not None and shown.nozzle and not shown.out:
                nozzle, price = shown.nozzle, shown.price  # we were not there; it shows the nozzle that was used last
            return Sale(
                nozzle=nozzle,
                volume_ml=self._scales.volume_ml(sold.volume),
                amount_fen=self._scales.amount_fen(sold.amount),
                price_e3=None if price is None else self._scales.price_e3(price),
            )

    async def read_prices(self) -> Mapping[int, int]:
        """See the class: a nozzle of which the pump has said nothing, by showing or by taking, is missing."""
        async with self._pump.at_it():
            await self._pump.know_status()
            return {
                nozzle: self._scales.price_e3(price)
                for nozzle, price in sorted(self._picture.prices.items())
                if nozzle in self.traits.nozzles
            }

    # Acts.

    async def set_prices(self, price_e3: Mapping[int, int]) -> None:
        """For all nozzles at once (CD5); then allow all of them (CD2), which a pump forgets with its power.

        Raises Misconfigured for a price that it cannot show or a nozzle left out, Transient for a pump that is not
        idle, DeviceFault when the pump goes on showing another price or none.
        """
        digits = self._price_digits(price_e3)
        if digits.keys() != set(self.traits.nozzles):
            raise self._pump.misconfigured(
                f"prices for nozzles {sorted(digits)}, but it has {list(self.traits.nozzles)}"
            )
        async with self._act, self._pump.at_it():
            await self._pump.ask_status()
            if self._picture.pump_state not in TAKES_PRICES:
                raise self._pump.transient(f"prices are not set in state {self._pump.reason}")
            for _ in range(TRIES):
                told = self._picture.told
                self._picture.prices.clear()
                await self._pump.talk.say(price_list(digits))
                await self._pump.ask_status()
                if await self._pump.shows(PROGRAMMED, told) and self._takes(digits):
                    self._picture.taken(digits)
                    await self._pump.talk.say(Allow(self.traits.nozzles))
                    return
            raise DeviceFault(
                f"it acknowledged the prices {digits}, but shows {self._picture.prices or self._pump.reason}",
                where=self._pump.where,
                remedy="Check that the config names all its nozzles and that it is not in local mode.",
            )

    async def authorise(self, order: Order) -> None:
        """RESET, nozzles, preset, AUTHORIZE; returns when it is AUTHORIZED or further.

        AUTHORIZE is said once: Transient after it leaves it open whether the pump was authorised. Raises Misconfigured
        for an order that it cannot carry out as meant, or when it shows another price than the order's; Transient for
        one that would wipe a sale which has ended, and nobody has read or released.
        """
        if not order.nozzles or not set(order.nozzles) <= set(self.traits.nozzles):
            raise self._pump.misconfigured(
                f"an order for nozzles {list(order.nozzles)}, it has {list(self.traits.nozzles)}"
            )
        digits = self._price_digits({nozzle: order.price_e3[nozzle] for nozzle in order.nozzles})
        try:
            limit = preset(order, self._scales, self._options.full_preset)
        except ValueError as error:
            raise self._pump.misconfigured(str(error)) from error
        stops = self._stops

        def still() -> None:
            if self._stops != stops:
                raise self._pump.transient("it was stopped before it was authorised")

        async with self._act, self._pump.at_it():
            if self._picture.released:
                await self._pump.know_status()
            else:
                await self._pump.ask_status()  # nobody has said that what it may have sold is stored
            self._check_order(digits)
            await self._reset(still)
            blocks: list[list[FromController]] = [[Allow(order.nozzles)], [*limit], [Command(Ask.AUTHORIZE)]]
            if self._options.join_blocks:
                blocks = [[word for block in blocks for word in block]]
            told = self._picture.told
            for block in blocks:
                if Command(Ask.AUTHORIZE) in block:
                    self._picture.authorising()
                if block:
                    await self._pump.talk.say(*block, still=still)

            def shown() -> bool:
                still()
                seen = self._picture.seen_since(told)
                if not seen & set(SELLING) and seen - {State.RESET}:
                    raise self._pump.transient(f"it is not authorised, and in state {self._pump.reason} instead")
                return bool(seen & set(SELLING))

            if not await self._pump.comes(Command(Ask.STATUS), shown, asked=True, within_s=self._options.authorise_s):
                raise self._pump.transient(
                    f"it does not show AUTHORIZED within {self._options.authorise_s:g} s, but {self._pump.reason}"
                )

    async def stop(self) -> None:
        """End the sale, or take the authorisation back; returns when the pump is in no state that delivers."""
        self._stops += 1
        async with self._pump.at_it():
            for _ in range(TRIES):
                told = self._picture.told
                if self._picture.state not in STOPPABLE:
                    await self._pump.ask_status()
                    if self._picture.state not in STOPPABLE:
                        return
                await self._pump.talk.say(Command(Ask.STOP))
                if await self._pump.shows(STOPPED, told):
                    return
            raise self._pump.fault("STOP")

    async def suspend(self) -> None:
        """Close the valve; returns when it is SUSPENDED. Raises Unsupported where no way is configured."""
        await self._pause(Ask.SUSPEND, Suspend(), (State.SUSPENDED,), from_=(State.AUTHORIZED, State.FILLING))

    async def resume(self) -> None:
        """Go on; returns when it is AUTHORIZED or FILLING."""
        await self._pause(Ask.RESUME, Resume(), (State.AUTHORIZED, State.FILLING), from_=(State.SUSPENDED,))

    async def release(self) -> None:
        """From now on state 5 means that the pump is free. Nothing is said to it: it keeps the sale until a RESET."""
        self._picture.release()

    async def run(self) -> NoReturn:
        """Poll, and set up again after each break of the pump or of the line."""
        poller = Poller({"poll": self._poll_s, "status": STATUS_PERIOD_S})
        while True:
            what = await poller.next()
            if self._pump.callers:
                continue
            try:
                await self._pump.ready(Priority.POLL)
                if what == "status":
                    await self._pump.talk.say(Command(Ask.STATUS), priority=Priority.POLL)
                await self._pump.talk.poll(Priority.POLL)
                if self._returned and not self._pump.callers:
                    await self.stop()
            except DeviceError:
                pass  # the link tells of it; the next poll tries again

    # Below: how.

    @property
    def _returned(self) -> bool:
        """Whether an authorisation stands that was for a nozzle hung up since."""
        wanted = self._options.lift_first and self._options.stop_returned
        return wanted and self._picture.state == State.AUTHORIZED and self._picture.nozzle_out is False

    async def _reset(self, still: Callable[[], None]) -> None:
        """Some heads acknowledge a RESET and stay in 5; then another one helps, with a number of its own."""
        for _ in range(self._options.reset_tries):
            told = self._picture.told
            await self._pump.talk.say(Command(Ask.RESET), still=still)
            if await self._pump.shows((State.RESET,), told):
                self._picture.wiped()
                return
        raise self._pump.fault("RESET")

    async def _pause(
        self, ask: Ask, transaction: FromController, states: tuple[State, ...], *, from_: tuple[State, ...]
    ) -> None:
        if self._options.suspend == "none":
            raise Unsupported(
                "no way to suspend is configured",
                where=self._pump.where,
                remedy="Set `options.suspend` when you have tried which one this pump obeys.",
            )
        async with self._act, self._pump.at_it():
            await self._pump.ask_status()
            for _ in range(TRIES):
                told = self._picture.told
                if self._picture.state in states:
                    return
                if self._picture.state not in from_:
                    raise self._pump.transient(f"not possible in state {self._pump.reason}")
                await self._pump.talk.say(transaction if self._options.suspend == "cd14" else Command(ask))
                if await self._pump.shows(states, told):
                    return
        raise self._pump.fault(ask.name)

    async def _read_total(self, nozzle: int) -> NozzleTotal:
        values = await self._counter(nozzle, AskTotals(nozzle), nozzle)
        amount: int | None = None
        if self._options.amount_totals == "65":
            counter = AMOUNT_COUNTER + nozzle
            amount = (await self._counter(counter, AskTotals(counter), counter))[0]
        elif self._options.amount_totals == "66":
            await self._counter(-nozzle, AskAmountTotal(nozzle), None)
            amount = self._picture.amount_totals[nozzle]
        elif len(values) == 2:
            amount = values[1]  # the layout of 13 bytes has both
        return NozzleTotal(self._scales.total_ml(values[0]), None if amount is None else self._scales.total_fen(amount))

    async def _counter(self, key: int, question: FromController, counter: int | None) -> tuple[int, ...]:
        told = self._picture.totals_told.get(key, 0)
        await self._pump.ask_for(
            f"the totals of nozzle {abs(key) & 15}", question, lambda: self._picture.totals_told.get(key, 0) > told
        )
        return () if counter is None else self._picture.totals[counter]

    def _check_order(self, digits: Mapping[int, int]) -> None:
        state, misfit = self._picture.pump_state, self._picture.misfit()
        if state not in TAKES_ORDERS:
            raise self._pump.transient(f"no order is taken in state {self._pump.reason}")
        if state is PumpState.ENDED and not self._picture.sale_read:
            raise self._pump.transient("its last sale has not been read, and would be wiped")
        if misfit is not None:
            raise self._pump.misconfigured(misfit)
        if self._options.lift_first and not self._picture.nozzle_out:
            raise self._pump.transient("it takes an order only with a nozzle lifted (`options.lift_first`)")
        shown = {nozzle: price for nozzle, price in self._picture.prices.items() if nozzle in digits}
        if any(digits[nozzle] != price for nozzle, price in shown.items()):
            raise self._pump.misconfigured(
                f"it shows the prices {shown}, the order says {dict(digits)}, by nozzle, in its digits"
            )

    def _takes(self, digits: Mapping[int, int]) -> bool:
        """Whether all that the pump has shown since agrees with the prices it was sent."""
        shown = self._picture.prices
        return all(shown[nozzle] == digits[nozzle] for nozzle in shown if nozzle in digits)

    def _price_digits(self, price_e3: Mapping[int, int]) -> dict[int, int]:
        try:
            return price_digits(price_e3, self._scales)
        except ValueError as error:
            raise self._pump.misconfigured(str(error)) from error


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
