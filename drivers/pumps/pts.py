"""How does the daemon sell through a PTS-2? One `PtsPump` for each pump behind it, a `drivers.pump.Pump`.

The controller speaks to the heads and keeps the sales. An order is a transaction with a number from the controller; its
end stands in the controller until PumpCloseTransaction. Totals and prices are asked for, and come later in place of a
status.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NoReturn, TypeVar

from drivers.api import Link, Point, Quality, Reading
from drivers.errors import DeviceError, DeviceFault, Garbled, LineDown, Misconfigured, Silent, Transient, Unsupported
from drivers.pump import SELLS, NozzleTotal, Order, PumpState, PumpStatus, PumpTraits, Sale
from drivers.pumps.config import PumpConfig
from drivers.pumps.pts_config import ControllerConfig, PtsOptions
from drivers.pumps.pts_controller import PtsController
from drivers.pumps.pts_link import PtsLink, now_ms
from drivers.pumps.pts_says import refused, sale_of_record
from drivers.pumps.pts_view import PtsView
from protocols.door import Fault, Refused
from protocols.fieldbus.jsonpts import Answer, Report
from protocols.fieldbus.jsonpts_errors import Code, Malformed, Refusal
from protocols.fieldbus.jsonpts_numbers import LITRE_PLACES, PRICE_PLACES, YUAN_PLACES, fen, ml, number, price_e3
from protocols.fieldbus.jsonpts_packets import (
    NOZZLE_MAX,
    DateTime,
    GetDateTime,
    Packet,
    PumpAuthorize,
    PumpAuthorizeConfirmation,
    PumpCloseTransaction,
    PumpGetPrices,
    PumpGetTotals,
    PumpOfflineStatus,
    PumpResume,
    PumpSetPrices,
    PumpStop,
    PumpSuspend,
    ReportGetPumpTransactions,
)

__all__ = ["ControllerConfig", "PtsController", "PtsOptions", "PtsPump"]

T = TypeVar("T")

AGAIN_S: Final = 0.1  # between two looks at a pump that is to do something
ARRIVALS_MAX: Final = 8  # results that may come in place of one status
STALE_POLLS: Final = 4
STALE_MIN_MS: Final = 3_000

_BUSY: Final = (Code.PUMP_BUSY_OTHER_REQUEST_EXECUTED,)
_NOT_OPEN: Final = (
    Code.PUMP_TRANSACTION_NOT_FOUND,
    Code.TRANSACTION_NUMBER_NOT_MATCH,
    Code.PUMP_STATUS_NOT_END_OF_TRANSACTION,
)


class PtsPump:
    """One pump of a controller. Nothing is asked until it is polled or told something."""

    profile_id = "pts"

    def __init__(self, controller: PtsController, config: PumpConfig) -> None:
        """Raises door.Refused for what a PTS-2 cannot have."""
        options = config.options_as(PtsOptions)
        if config.nozzle_numbers[-1] > NOZZLE_MAX:
            fault = Fault("nozzles", f"numbers from 1 to {NOZZLE_MAX}", str(config.nozzle_numbers[-1]))
            raise Refused(f"pump {config.id}", [fault])
        self.id = config.id
        self.poll_s = config.poll_s or controller.config.poll_s
        self._controller = controller
        self._pump = config.address
        self._options = options
        self._decimals = decimals = config.scales
        self._where = f"{controller.id}:{config.id}"
        self._traits = PumpTraits(
            nozzles=config.nozzle_numbers,
            volume_step_ml=decimals.volume_ml(1),
            amount_step_fen=decimals.amount_fen(1),
            price_step_e3=decimals.price_e3(1),
            total_step_ml=decimals.total_ml(1),
            total_ml_wraps=options.total_ml_wraps,
            amount_max_fen=options.amount_max_fen,
            volume_max_ml=options.volume_max_ml,
            price_max_e3=options.price_max_e3,
            lift_first=False,
            can_suspend=options.can_suspend,
            flow_ml_s_max=config.flow_ml_s_max,
        )
        self._view = PtsView(config.address, options.display)
        self._link = PtsLink()
        self._at_ms: int | None = None
        self._arrivals = asyncio.Lock()  # one thing asked for that comes later, at a time
        controller.attach(self)

    @property
    def traits(self) -> PumpTraits:
        return self._traits

    def link(self) -> Link:
        return self._link.seen()

    def status(self) -> Reading[PumpStatus]:
        if self._view.status is None or self._at_ms is None:
            return Reading(None, Quality.NONE, None)
        old = now_ms() - self._at_ms > max(STALE_MIN_MS, STALE_POLLS * self.poll_s * 1000)
        return Reading(self._view.status, Quality.STALE if old else Quality.GOOD, self._at_ms)

    def points(self) -> list[Point]:
        quality, status = self.status().quality, self._view.status
        shown: list[tuple[str, object, str]] = [("sale number", self._view.newest, "")]
        if status is not None:
            shown = [
                ("state", status.state.value, ""),
                ("reason", status.reason, ""),
                ("nozzle", status.nozzle, ""),
                ("volume", status.volume_ml, " mL"),
                ("amount", status.amount_fen, " fen"),
                ("price", status.price_e3, " thousandths of a fen per litre"),
                *shown,
            ]
        where = f"pump {self._pump} of {self._controller.id}"
        return [
            Point(name, "-" if value is None else f"{value}{unit}", quality, self._at_ms, self._link.took_ms, where)
            for name, value, unit in shown
        ]

    async def run(self) -> NoReturn:
        """Nothing: its polls travel with those of the other pumps, in the controller's `run`."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nothing ends the wait but a cancellation")

    # For the controller's poll.

    def questions(self) -> list[Packet]:
        """What a poll asks."""
        return self._view.questions()

    def polled(self, questions: Sequence[Packet], answers: Sequence[Answer], took_ms: float) -> None:
        """The answers came. What is wrong with them goes to the link."""
        try:
            self._take(questions, answers, took_ms)
        except DeviceError as error:
            self._link.bad(error)

    def unreachable(self, error: DeviceError) -> None:
        """The controller could not be asked."""
        self._link.bad(error, at_once=isinstance(error, (LineDown, Misconfigured)))

    # Reading.

    async def read_status(self) -> Reading[PumpStatus]:
        await self._look()
        return self.status()

    async def read_totals(self) -> Mapping[int, NozzleTotal]:
        async with self._arrivals:
            return {nozzle: await self._read_total(nozzle) for nozzle in self._traits.nozzles}

    async def read_prices(self) -> Mapping[int, int]:
        async with self._arrivals:
            await self._look()  # what an earlier, given up question brings comes with it, and is not taken
            self._view.prices = None
            arrived = await self._fetch(PumpGetPrices(pump=self._pump), lambda: self._view.prices)
        with self._whole():
            prices = {nozzle: price_e3(price, "Prices") for nozzle, price in enumerate(arrived.prices, 1)}
        return {nozzle: prices[nozzle] for nozzle in self._traits.nozzles if prices.get(nozzle)}

    async def read_sale(self) -> Sale | None:
        """What the controller shows. If that is not its newest sale, what its memory card says of that one."""
        status = await self._look()
        if status.state in SELLS:
            return None
        with self._whole():
            shown = self._view.sales()
        newest = self._view.newest
        for sale in shown:
            if newest is None or sale.number == newest:
                return sale
        return await self._recorded(newest) or next(iter(shown), None)

    # Acting.

    async def set_prices(self, price_e3: Mapping[int, int]) -> None:
        wanted = {nozzle: self._price(price_e3, nozzle) for nozzle in self._traits.nozzles}
        status = await self._look()
        if status.state not in (PumpState.IDLE, PumpState.CALLING):
            raise Transient(f"expected an idle pump, got {status.state.value} ({status.reason})", where=self._where)
        shown = self._decimals.price
        prices = [number(wanted.get(nozzle, 0), PRICE_PLACES, shown) for nozzle in range(1, NOZZLE_MAX + 1)]
        await self._tell(PumpSetPrices(pump=self._pump, prices=prices))
        deadline = time.monotonic() + self._options.act_s
        while (seen := await self.read_prices()) != wanted:
            if time.monotonic() > deadline:
                raise DeviceFault(f"was told the prices {wanted}, shows {dict(seen)}", where=self._where)
            await asyncio.sleep(AGAIN_S)

    async def authorise(self, order: Order) -> None:
        """A sale that still stands is closed first. With nozzles of several prices, the pump must have them already."""
        question = self._authorization(order)
        if question.price is None:
            seen = await self.read_prices()
            if any(seen.get(nozzle) != order.price_e3[nozzle] for nozzle in order.nozzles):
                raise DeviceFault(f"is to charge {dict(order.price_e3)}, shows {dict(seen)}", where=self._where)
        status = await self._look()
        if status.state is PumpState.ENDED:
            await self.release()
        elif status.state not in (PumpState.IDLE, PumpState.CALLING):
            raise Transient(f"expected an idle pump, got {status.state.value} ({status.reason})", where=self._where)
        sale: int | None = None
        try:
            answer = await self._tell(question)
            assert isinstance(answer, PumpAuthorizeConfirmation)
            sale = answer.transaction or None
        finally:
            self._view.ordered(sale)  # without an answer it is open what the newest sale is
        await self._until(lambda state: state in SELLS or state is PumpState.ENDED, "authorised")

    async def stop(self) -> None:
        """Sent whatever the last status was. The nozzle may still be out when it returns."""
        await self._tell(PumpStop(pump=self._pump), harmless=(Code.PUMP_NOT_IN_FILLING_PROCESS,))
        self._view.told_to_stop(now_ms())
        await self._until(lambda state: state not in SELLS or state is PumpState.REACHED, "stopped")

    async def suspend(self) -> None:
        self._check_suspends()
        await self._tell(PumpSuspend(pump=self._pump))
        await self._until(lambda state: state not in (PumpState.DELIVERING, PumpState.AUTHORISED), "suspended")

    async def resume(self) -> None:
        self._check_suspends()
        await self._tell(PumpResume(pump=self._pump))
        await self._until(lambda state: state is not PumpState.SUSPENDED, "resumed")

    async def release(self) -> None:
        """PumpCloseTransaction, if a sale stands."""
        status = await self._look()
        if status.state is not PumpState.ENDED or self._view.newest is None:
            return
        closing = PumpCloseTransaction(pump=self._pump, transaction=self._view.newest)
        await self._tell(closing, harmless=_NOT_OPEN)
        await self._until(lambda state: state is not PumpState.ENDED, "closed")

    # Below: how.

    async def _look(self) -> PumpStatus:
        """Read the status. Results of earlier questions may come first."""
        for _ in range(ARRIVALS_MAX):
            questions = self._view.questions()
            started = time.monotonic()
            try:
                answers = await self._controller.ask(questions)
                came = self._take(questions, answers, (time.monotonic() - started) * 1000)
            except DeviceError as error:
                self._link.bad(error)
                raise
            if came and self._view.status is not None:
                return self._view.status
        raise Transient(f"{ARRIVALS_MAX} other packets came in place of a status", where=self._where)

    def _take(self, questions: Sequence[Packet], answers: Sequence[Answer], took_ms: float) -> bool:
        """Whether a status came. Raises DeviceError."""
        with self._whole():
            came = self._view.take(questions, answers, now_ms())
        if isinstance(came, Refusal):
            raise refused(came, "PumpGetStatus", self._where)
        if came:
            self._at_ms = now_ms()
            if isinstance(self._view.packet, PumpOfflineStatus):
                silent = Silent("the controller does not hear the pump", where=self._where)
                self._link.bad(silent, at_once=True)
            else:
                self._link.good(took_ms)
        return came

    async def _tell(self, question: Packet, harmless: tuple[Code, ...] = ()) -> Answer:
        """Ask one thing. Raises what a refusal means, unless it is one of the harmless ones."""
        (answer,) = await self._controller.ask([question])
        if isinstance(answer, Refusal) and answer.known not in harmless:
            self._link.count("refused")
            raise refused(answer, type(question).__name__, self._where)
        return answer

    async def _until(self, reached: Callable[[PumpState], bool], what: str) -> None:
        """Wait until the status shows it. Raises Transient when it does not within `act_s`."""
        deadline = time.monotonic() + self._options.act_s
        while True:
            status = await self._look()
            if reached(status.state):
                return
            if time.monotonic() > deadline:
                shown = f"{status.state.value} ({status.reason})"
                raise Transient(f"expected it {what} within {self._options.act_s:g} s, got {shown}", where=self._where)
            await asyncio.sleep(AGAIN_S)

    async def _read_total(self, nozzle: int) -> NozzleTotal:
        await self._look()  # see read_prices
        self._view.totals.pop(nozzle, None)
        question = PumpGetTotals(pump=self._pump, nozzle=nozzle)
        arrived = await self._fetch(question, lambda: self._view.totals.get(nozzle))
        with self._whole():
            volume_ml = ml(arrived.volume, "Volume")
            amount_fen = None if arrived.amount is None else fen(arrived.amount, "Amount")
        return NozzleTotal(volume_ml, amount_fen or (None if volume_ml else amount_fen))

    async def _fetch(self, question: Packet, arrived: Callable[[], T | None]) -> T:
        """Ask for what comes later in place of a status, and wait for it."""
        deadline = time.monotonic() + self._options.totals_s
        asked = False
        while time.monotonic() < deadline:
            if not asked:
                asked = not isinstance(await self._tell(question, harmless=_BUSY), Refusal)
            if asked:
                await self._look()
            if (result := arrived()) is not None:
                return result
            await asyncio.sleep(AGAIN_S)
        what = f"no answer to {type(question).__name__} within {self._options.totals_s:g} s"
        raise Transient(what, where=self._where)

    async def _recorded(self, sale: int | None) -> Sale | None:
        """The sale of this number, or the last one, from the memory card; None: it has none, or does not tell."""
        (clock,) = await self._controller.ask([GetDateTime()])
        if not isinstance(clock, DateTime):
            return None
        now = clock.date_time
        try:
            since = datetime.fromisoformat(now) - timedelta(hours=self._options.report_h)
        except ValueError:
            raise Garbled(f"DateTime: expected YYYY-MM-DDThh:mm:ss, got {now[:40]!r}", where=self._where) from None
        question = ReportGetPumpTransactions(
            pump=self._pump, date_time_start=since.isoformat(timespec="seconds"), date_time_end=now
        )
        (answer,) = await self._controller.ask([question])
        records = answer.records if isinstance(answer, Report) else ()
        fitting = [r for r in records if r.pump == self._pump and sale in (None, r.transaction)]
        if not fitting:
            return None
        with self._whole():
            return sale_of_record(max(fitting, key=lambda record: record.date_time))

    def _authorization(self, order: Order) -> PumpAuthorize:
        """Raises Misconfigured for an order that this pump cannot take."""
        prices = {self._price(order.price_e3, nozzle) for nozzle in order.nozzles}
        strange = [nozzle for nozzle in order.nozzles if nozzle not in self._traits.nozzles]
        if strange or not order.nozzles:
            raise Misconfigured(f"expected nozzles of {self._traits.nozzles}, got {order.nozzles}", where=self._where)
        if order.kind == "amount":
            dose = self._dose(order, self._traits.amount_max_fen, YUAN_PLACES, self._shown("amount"))
        elif order.kind == "volume":
            dose = self._dose(order, self._traits.volume_max_ml, LITRE_PLACES, self._shown("volume"))
        else:
            dose = None
        one = len(order.nozzles) == 1
        return PumpAuthorize(
            pump=self._pump,
            type="FullTank" if order.kind == "full" else "Amount" if order.kind == "amount" else "Volume",
            nozzle=order.nozzles[0] if one else None,
            nozzles=None if one else list(order.nozzles),
            dose=dose,
            price=number(prices.pop(), PRICE_PLACES, self._decimals.price) if len(prices) == 1 else None,
            auto_close_transaction=False,
        )

    def _dose(self, order: Order, most: int, places: int, shown: int) -> Decimal:
        """Litres or yuan, rounded down to what can be shown: never more than was paid for."""
        step = int(10 ** (places - shown))
        if not step <= order.limit <= most:
            raise Misconfigured(f"expected {order.kind} from {step} to {most}, got {order.limit}", where=self._where)
        return number(order.limit // step * step, places, shown)

    def _price(self, prices: Mapping[int, int], nozzle: int) -> int:
        """Raises Misconfigured for a price that is missing, or that the pump cannot show."""
        price = prices.get(nozzle)
        if price is None or not 0 < price <= self._traits.price_max_e3:
            what = f"nozzle {nozzle}: expected a price up to {self._traits.price_max_e3}, got {price}"
            raise Misconfigured(what, where=self._where)
        shown = self._shown("price")
        if price % 10 ** (PRICE_PLACES - shown):
            what = f"nozzle {nozzle}: expected a price of at most {shown} decimals, got {price} thousandths of a fen"
            raise Misconfigured(what, where=self._where)
        return price

    def _shown(self, what: Literal["amount", "volume", "price"]) -> int:
        """Decimals that both the head and, as far as it has told, the controller have."""
        head, controller = self._decimals, self._controller.digits
        own = {"amount": head.amount, "volume": head.volume, "price": head.price}[what]
        if controller is None:
            return own
        return min(own, {"amount": controller.amount, "volume": controller.volume, "price": controller.price}[what])

    def _check_suspends(self) -> None:
        if not self._options.can_suspend:
            raise Unsupported("this pump cannot pause", where=self._where)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Numbers that are none become Garbled."""
        try:
            yield
        except Malformed as error:
            raise Garbled(str(error), where=self._where) from None
