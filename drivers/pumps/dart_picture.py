"""What has a DART pump said of itself so far, and what state does that make? No I/O: words in, values out."""

from __future__ import annotations

from collections import deque
from typing import Final

from drivers.pump import Decimals, PumpState, PumpStatus
from protocols.fieldbus.dart_app import (
    Alarm,
    AmountTotal,
    Filled,
    FromPump,
    Identity,
    NozzlePrice,
    Parameters,
    State,
    Status,
    Totals,
    Unknown,
)

SELLING: Final = (State.AUTHORIZED, State.FILLING, State.MAX_REACHED, State.SUSPENDED)
STATES_KEPT: Final = 64  # far more than a pump goes through while somebody waits for one


class Picture:
    """The pump as it has told. Its numbers are digits; `status` makes quantities of them.

    states: DC1 numbers in order, each with its running number, for those who wait for one. released: whether the sale
    in memory is stored elsewhere, so that state 5 means that the pump is free.
    """

    def __init__(self, scales: Decimals) -> None:
        self.state: int | None = None
        self.told = 0  # DC1s so far
        self.nozzle_price: NozzlePrice | None = None
        self.nozzles_told = 0  # DC3s so far
        self.filled: Filled | None = None
        self.fillings_told = 0  # DC2s so far
        self.sale_nozzle: int | None = None
        self.sale_price: int | None = None
        self.totals: dict[int, tuple[int, ...]] = {}  # by counter
        self.totals_told: dict[int, int] = {}  # answers so far, by counter
        self.amount_totals: dict[int, int] = {}  # by nozzle
        self.parameters: Parameters | None = None
        self.identity: str | None = None
        self.alarm: str | None = None
        self.released = False
        self.sale_read = False  # somebody has asked for the sale in memory
        self.unknown = 0
        self.prices: dict[int, int] = {}  # by nozzle: shown by the pump, or taken by it from us
        self._states: deque[tuple[int, int]] = deque(maxlen=STATES_KEPT)
        self._hung_up = False  # since the last sale
        self._scales = scales

    def hear(self, word: FromPump) -> None:
        """Take one word of the pump's."""
        match word:
            case Status(state):
                self._hear_state(state)
            case Filled():
                self.filled = word
                self.fillings_told += 1
            case NozzlePrice():
                self._hear_nozzle(word)
            case Alarm():
                self.alarm = word.word
            case Parameters():
                self.parameters = word
            case Identity(digits):
                self.identity = digits
            case Totals(counter, values):
                self.totals[counter] = values
                self.totals_told[counter] = self.totals_told.get(counter, 0) + 1
            case AmountTotal(nozzle, values):
                self.amount_totals[nozzle] = values[0]
                self.totals_told[-nozzle] = self.totals_told.get(-nozzle, 0) + 1
            case Unknown():
                self.unknown += 1
            case _:
                pass  # DC14 and DC15 only say our own word back

    def seen_since(self, told: int) -> set[int]:
        """The states told after `told` was the running number."""
        return {state for number, state in self._states if number > told}

    def taken(self, prices: dict[int, int]) -> None:
        """The pump has taken these prices from us, digits by nozzle."""
        self.prices = dict(prices)

    def release(self) -> None:
        """The sale in memory is stored elsewhere."""
        self.released, self.alarm = True, None

    def wiped(self) -> None:
        """It has obeyed our RESET: nothing stands in its memory that could be lost."""
        self.released = True

    def authorising(self) -> None:
        """AUTHORIZE is about to be said: whatever is heard or not heard from here on, it may have sold."""
        self.released = self.sale_read = self._hung_up = False

    def forget(self) -> None:
        """It was away: a sale may have come and gone, prices may be others.

        In state 5 it cannot have been authorised: a nozzle that is out then has not sold anything.
        """
        self._hung_up = self.state == State.COMPLETED and (self.released or self._hung_up)
        self.released = self.sale_read = False
        self.filled = self.sale_nozzle = self.sale_price = None
        self.prices.clear()

    @property
    def nozzle_out(self) -> bool | None:
        return None if self.nozzle_price is None else self.nozzle_price.out

    @property
    def pump_state(self) -> PumpState | None:
        """None: it has not said."""
        match self.state:
            case None:
                return None
            case State.NOT_PROGRAMMED:
                return PumpState.UNPRICED
            case State.RESET:
                return PumpState.CALLING if self.nozzle_out else PumpState.IDLE
            case State.AUTHORIZED:
                return PumpState.AUTHORISED
            case State.FILLING:
                return PumpState.DELIVERING
            case State.MAX_REACHED:
                return PumpState.REACHED
            case State.SUSPENDED:
                return PumpState.SUSPENDED
            case State.COMPLETED:
                return self._completed()
        return PumpState.OUT

    def status(self) -> PumpStatus | None:
        """None: it has not said."""
        state = self.pump_state
        if state is None or self.state is None:
            return None
        shown, sold = self.nozzle_price, self.filled
        fresh = state not in (PumpState.UNPRICED, PumpState.IDLE, PumpState.CALLING, PumpState.OUT)
        nozzle = self.sale_nozzle if fresh and self.sale_nozzle else (shown.nozzle or None if shown else None)
        price = self.sale_price if fresh and self.sale_price is not None else (shown.price if shown else None)
        return PumpStatus(
            state=state,
            reason=_reason(self.state),
            nozzle=nozzle,
            nozzle_out=self.nozzle_out,
            volume_ml=self._scales.volume_ml(sold.volume) if fresh and sold is not None else None,
            amount_fen=self._scales.amount_fen(sold.amount) if fresh and sold is not None else None,
            price_e3=self._scales.price_e3(price) if nozzle and price is not None else None,
            alarm=self.alarm,
        )

    def misfit(self) -> str | None:
        """How the decimals in DC7 differ from those configured, in words; None: they agree, or it has not said."""
        told, ours = self.parameters, self._scales
        if told is None:
            return None
        decimals = (told.volume_decimals, told.amount_decimals, told.price_decimals)
        if decimals == (ours.volume, ours.amount, ours.price):
            return None
        return (
            f"the pump says that its volume, amount and price have {decimals[0]}, {decimals[1]} and {decimals[2]}"
            f" decimals, the config says {ours.volume}, {ours.amount} and {ours.price}"
        )

    def _completed(self) -> PumpState:
        """State 5: after a sale, but also after power-up; and the nozzle may be out still, or again."""
        if self.released:
            return PumpState.CALLING if self.nozzle_out else PumpState.IDLE
        return PumpState.REACHED if self.nozzle_out and not self._hung_up else PumpState.ENDED

    def _hear_state(self, state: int) -> None:
        self.told += 1
        self._states.append((self.told, state))
        if state in SELLING and self.state not in SELLING:
            self.released = self.sale_read = self._hung_up = False
            self.sale_nozzle = self.sale_price = None
            self._note_sale_nozzle(self.nozzle_price)
        if state in (State.RESET, State.AUTHORIZED, State.FILLING):
            self.alarm = None  # it works again
        if state == State.RESET:
            self.filled = None
        if state == State.NOT_PROGRAMMED:
            self.prices.clear()
        self.state = state
        if state == State.COMPLETED and self.nozzle_out is False:
            self._hung_up = True

    def _hear_nozzle(self, shown: NozzlePrice) -> None:
        self.nozzle_price = shown
        self.nozzles_told += 1
        if shown.nozzle and shown.price and self.state != State.NOT_PROGRAMMED:
            if self.prices.get(shown.nozzle, shown.price) != shown.price:
                self.prices.clear()  # it has others than it took from us: those of its other nozzles are doubtful too
            self.prices[shown.nozzle] = shown.price
        if self.state in SELLING:
            self._note_sale_nozzle(shown)
        if self.state == State.COMPLETED and not shown.out:
            self._hung_up = True

    def _note_sale_nozzle(self, shown: NozzlePrice | None) -> None:
        if shown is not None and shown.nozzle and shown.out:
            self.sale_nozzle, self.sale_price = shown.nozzle, shown.price


def _reason(state: int) -> str:
    known = {known.value: known.name for known in State}
    return f"{state} {known[state]}" if state in known else str(state)
