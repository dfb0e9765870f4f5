"""DART pumps (Wayne and others): a `drivers.pump.Pump` over one address of a line.

What a pump acknowledges has only come; what it does shows in its states (DC1). So every act here says its block, asks
for the status, and waits for the state. An order is given as RESET, nozzles, preset, AUTHORIZE: RESET wipes the last
sale, so it is never sent but by `authorise`, whose caller has it stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final, NoReturn

from drivers.api import Link, Point, Quality, Reading
from drivers.errors import DeviceError, DeviceFault, Garbled, Misconfigured, Silent, Transient, Unsupported
from drivers.line import Line, Priority
from drivers.polling import Poller
from drivers.pump import SELLS, NozzleTotal, Order, PumpState, PumpStatus, PumpTraits, Sale
from drivers.pumps.config import PumpConfig
from drivers.pumps.dart_options import DartOptions
from drivers.pumps.dart_order import preset, price_digits, price_list
from drivers.pumps.dart_picture import SELLING, Picture
from drivers.pumps.dart_points import points
from drivers.pumps.dart_talk import DartTalk
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
FRESH_MS: Final = 1000  # a state polled so recently is good enough to act on: what comes of the act is looked at anyway
ACT_S: Final = 3.0  # a pump that has acknowledged does it, or says what it asked for, within this time
ASK_AGAIN_S: Final = 0.6  # what was asked for and has not come is asked for again
TRIES: Final = 3  # of a command acknowledged without effect
HURRIED: Final = 4  # polls before other devices' in an act; beyond, the wait is the pump's and the line is for all
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
        self._talk = DartTalk(
            line, config.id, config.address, self._options, hear=self._picture.hear, on_answer=self._answered
        )
        self._at_ms: int | None = None
        self._restarts = 0  # of the pump, that we have set up after
        self._stops = 0
        self._callers = 0  # who wait for something that they asked for
        self._act = asyncio.Lock()  # one order, price change or suspension at a time; a stop does not wait for it
        self._setting_up = asyncio.Lock()

    # What is known. No I/O.

    def link(self) -> Link:
        return self._talk.device.link()

    def points(self) -> list[Point]:
        """What the pump has told of itself."""
        return points(self._picture, self._talk.master, self._scales, self.status().quality, self._at_ms)

    def status(self) -> Reading[PumpStatus]:
        """As last polled; a poll that brings nothing new says that all is as told."""
        status = self._picture.status()
        if status is None or self._at_ms is None:
            return Reading(None, Quality.NONE, self._at_ms)
        old = _now_ms() - self._at_ms > max(STALE_MS, 4000 * self._poll_s)
        return Reading(status, Quality.STALE if old else Quality.GOOD, self._at_ms)

    # Reads.

    async def read_status(self) -> Reading[PumpStatus]:
        """Ask now. Raises DeviceError when the pump does not tell."""
        async with self._at_it():
            await self._ask_status()
            return self.status()

    async def read_totals(self) -> Mapping[int, NozzleTotal]:
        """By nozzle, read now. Raises Transient during a sale, until the nozzle is hung up, and when none come."""
        async with self._at_it():
            await self._know_status()
            state = self._picture.pump_state
            if state in SELLS or (self._picture.nozzle_out and not self._options.totals_lifted):
                raise self._transient(f"its totals are not read in state {self._reason()}, with a nozzle out")
            return {nozzle: await self._read_total(nozzle) for nozzle in self.traits.nozzles}

    async def read_sale(self) -> Sale | None:
        """The last sale, read now; one of zero where the pump came up without one. None: it is reset, or is selling."""
        async with self._at_it():
            await self._know_status()
            if self._picture.state != State.COMPLETED:
                return None
            told = self._picture.fillings_told
            await self._ask_for("its last sale (DC2)", Command(Ask.FILLING), lambda: self._picture.fillings_told > told)
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
        async with self._at_it():
            await self._know_status()
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
            raise self._misconfigured(f"prices for nozzles {sorted(digits)}, but it has {list(self.traits.nozzles)}")
        async with self._act, self._at_it():
            await self._ask_status()
            if self._picture.pump_state not in TAKES_PRICES:
                raise self._transient(f"prices are not set in state {self._reason()}")
            for _ in range(TRIES):
                told = self._picture.told
                self._picture.prices.clear()
                await self._talk.say(price_list(digits))
                await self._ask_status()
                if await self._shows(PROGRAMMED, told) and self._takes(digits):
                    self._picture.taken(digits)
                    await self._talk.say(Allow(self.traits.nozzles))
                    return
            raise DeviceFault(
                f"it acknowledged the prices {digits}, but shows {self._picture.prices or self._reason()}",
                where=self._talk.device.where,
                remedy="Check that the config names all its nozzles and that it is not in local mode.",
            )

    async def authorise(self, order: Order) -> None:
        """RESET, nozzles, preset, AUTHORIZE; returns when it is AUTHORIZED or further.

        AUTHORIZE is said once: Transient after it leaves it open whether the pump was authorised. Raises Misconfigured
        for an order that it cannot carry out as meant, or when it shows another price than the order's; Transient for
        one that would wipe a sale which has ended, and nobody has read or released.
        """
        if not order.nozzles or not set(order.nozzles) <= set(self.traits.nozzles):
            raise self._misconfigured(f"an order for nozzles {list(order.nozzles)}, it has {list(self.traits.nozzles)}")
        digits = self._price_digits({nozzle: order.price_e3[nozzle] for nozzle in order.nozzles})
        try:
            limit = preset(order, self._scales, self._options.full_preset)
        except ValueError as error:
            raise self._misconfigured(str(error)) from error
        stops = self._stops

        def still() -> None:
            if self._stops != stops:
                raise self._transient("it was stopped before it was authorised")

        async with self._act, self._at_it():
            if self._picture.released:
                await self._know_status()
            else:
                await self._ask_status()  # nobody has said that what it may have sold is stored
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
                    await self._talk.say(*block, still=still)

            def shown() -> bool:
                still()
                seen = self._picture.seen_since(told)
                if not seen & set(SELLING) and seen - {State.RESET}:
                    raise self._transient(f"it is not authorised, and in state {self._reason()} instead")
                return bool(seen & set(SELLING))

            if not await self._comes(Command(Ask.STATUS), shown, asked=True, within_s=self._options.authorise_s):
                raise self._transient(
                    f"it does not show AUTHORIZED within {self._options.authorise_s:g} s, but {self._reason()}"
                )

    async def stop(self) -> None:
        """End the sale, or take the authorisation back; returns when the pump is in no state that delivers."""
        self._stops += 1
        async with self._at_it():
            for _ in range(TRIES):
                told = self._picture.told
                if self._picture.state not in STOPPABLE:
                    await self._ask_status()
                    if self._picture.state not in STOPPABLE:
                        return
                await self._talk.say(Command(Ask.STOP))
                if await self._shows(STOPPED, told):
                    return
            raise self._fault("STOP")

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
            if self._callers:
                continue
            try:
                await self._ready(Priority.POLL)
                if what == "status":
                    await self._talk.say(Command(Ask.STATUS), priority=Priority.POLL)
                await self._talk.poll(Priority.POLL)
                if self._returned and not self._callers:
                    await self.stop()
            except DeviceError:
                pass  # the link tells of it; the next poll tries again

    # Below: how.

    @property
    def _returned(self) -> bool:
        """Whether an authorisation stands that was for a nozzle hung up since."""
        wanted = self._options.lift_first and self._options.stop_returned
        return wanted and self._picture.state == State.AUTHORIZED and self._picture.nozzle_out is False

    @asynccontextmanager
    async def _at_it(self) -> AsyncIterator[None]:
        """While somebody waits for the pump, the polls in between are his own."""
        self._callers += 1
        try:
            await self._ready()
            yield
        finally:
            self._callers -= 1

    async def _ready(self, priority: Priority = Priority.COMMAND) -> None:
        """Begin anew with a pump that is new, was away or has started again: its state first, and nothing assumed."""
        async with self._setting_up:
            returned = self._talk.device.on_return
            if not returned.is_set() and self._restarts == self._talk.master.restarts:
                return
            returned.clear()
            self._restarts = self._talk.master.restarts
            self._talk.restart()
            self._picture.forget()
            try:
                await self._ask_status(priority)
            except BaseException:
                returned.set()
                raise
            if self._options.ask_parameters:  # these two are good to know, and no reason to begin anew once more
                await self._talk.say(Command(Ask.PARAMETERS), priority=priority)
            if self._picture.state in (*SELLING, State.COMPLETED):
                await self._talk.say(Command(Ask.FILLING), priority=priority)

    async def _ask_status(self, priority: Priority = Priority.COMMAND) -> None:
        told = self._picture.told
        await self._ask_for("its status", Command(Ask.STATUS), lambda: self._picture.told > told, priority)

    async def _know_status(self) -> None:
        if self._at_ms is None or _now_ms() - self._at_ms > FRESH_MS:
            await self._ask_status()

    async def _ask_for(
        self, what: str, question: FromController, come: Callable[[], bool], priority: Priority = Priority.COMMAND
    ) -> None:
        if not await self._comes(question, come, priority=priority):
            raise self._transient(f"it does not say {what} within {ACT_S:g} s, in state {self._reason()}")

    async def _shows(self, states: Collection[int], told: int) -> bool:
        """Whether it tells one of `states` after it had told `told` of them, in good time."""
        return await self._comes(
            Command(Ask.STATUS),
            lambda: bool(self._picture.seen_since(told) & set(states)),
            asked=True,
            within_s=2 * ASK_AGAIN_S,
        )

    async def _comes(
        self,
        question: FromController,
        come: Callable[[], bool],
        *,
        asked: bool = False,
        within_s: float = ACT_S,
        priority: Priority = Priority.COMMAND,
    ) -> bool:
        """Ask, and poll until it has come; False when it does not.

        Asks again with a new number, as the pump may have taken the first for a repeat. asked: the first question is
        not needed yet, as the pump tells by itself what has changed.
        """
        now = asyncio.get_running_loop().time
        give_up_at, ask_at = now() + within_s, now() + (ASK_AGAIN_S if asked else 0.0)
        polls = 0
        while not come():
            if now() >= give_up_at:
                return False
            if now() >= ask_at:
                await self._talk.say(question, priority=priority)
                ask_at = now() + ASK_AGAIN_S
            try:
                await self._talk.poll(priority if polls < HURRIED else Priority.POLL, come)
            except (Silent, Garbled):
                if self._talk.device.offline:
                    raise  # else a poll that was missed is no answer to what we wait for
            polls += 1
        return True

    async def _reset(self, still: Callable[[], None]) -> None:
        """Some heads acknowledge a RESET and stay in 5; then another one helps, with a number of its own."""
        for _ in range(self._options.reset_tries):
            told = self._picture.told
            await self._talk.say(Command(Ask.RESET), still=still)
            if await self._shows((State.RESET,), told):
                self._picture.wiped()
                return
        raise self._fault("RESET")

    async def _pause(
        self, ask: Ask, transaction: FromController, states: tuple[State, ...], *, from_: tuple[State, ...]
    ) -> None:
        if self._options.suspend == "none":
            raise Unsupported(
                "no way to suspend is configured",
                where=self._talk.device.where,
                remedy="Set `options.suspend` when you have tried which one this pump obeys.",
            )
        async with self._act, self._at_it():
            await self._ask_status()
            for _ in range(TRIES):
                told = self._picture.told
                if self._picture.state in states:
                    return
                if self._picture.state not in from_:
                    raise self._transient(f"not possible in state {self._reason()}")
                await self._talk.say(transaction if self._options.suspend == "cd14" else Command(ask))
                if await self._shows(states, told):
                    return
        raise self._fault(ask.name)

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
        await self._ask_for(
            f"the totals of nozzle {abs(key) & 15}", question, lambda: self._picture.totals_told.get(key, 0) > told
        )
        return () if counter is None else self._picture.totals[counter]

    def _check_order(self, digits: Mapping[int, int]) -> None:
        state, misfit = self._picture.pump_state, self._picture.misfit()
        if state not in TAKES_ORDERS:
            raise self._transient(f"no order is taken in state {self._reason()}")
        if state is PumpState.ENDED and not self._picture.sale_read:
            raise self._transient("its last sale has not been read, and would be wiped")
        if misfit is not None:
            raise self._misconfigured(misfit)
        if self._options.lift_first and not self._picture.nozzle_out:
            raise self._transient("it takes an order only with a nozzle lifted (`options.lift_first`)")
        shown = {nozzle: price for nozzle, price in self._picture.prices.items() if nozzle in digits}
        if any(digits[nozzle] != price for nozzle, price in shown.items()):
            raise self._misconfigured(
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
            raise self._misconfigured(str(error)) from error

    def _answered(self) -> None:
        self._at_ms = _now_ms()

    def _reason(self) -> str:
        status = self._picture.status()
        return "unknown" if status is None else status.reason

    def _transient(self, what: str) -> Transient:
        return Transient(what, where=self._talk.device.where, remedy=f"`fieldtill read {self.id}` shows what it says.")

    def _misconfigured(self, what: str) -> Misconfigured:
        remedy = "Compare the prices, nozzles and decimals in the config with the pump; docs/dart.md says how."
        return Misconfigured(what, where=self._talk.device.where, remedy=remedy)

    def _fault(self, what: str) -> DeviceFault:
        return DeviceFault(
            f"it acknowledges {what} {TRIES} times, and stays in state {self._reason()}",
            where=self._talk.device.where,
            remedy="Look at the pump: it may be in local mode, or wait for a key.",
        )


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
