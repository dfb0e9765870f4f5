"""A simulated pump that speaks AZT 2.0: what it answers, in which state, over the common model of a pump.

    Phase       IDLE           AUTHORISED               DELIVERING  REACHED, ENDED    a dose of its own panel
    state       0, 1 lifted    2, 3 with the nozzle out  3           4                 8

State 4 may come with the nozzle out, and a host reads its totals there: so give it a `Head` with `totals_live`.

Faults of the dialogue: REFUSE (CAN; NAK with amount 21), NO_EFFECT (ACK, not done), LATE_STATUS and STALE (an older
state is shown for `amount` ms), FOREIGN (answers another pump's questions, too).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from drivers.pump import NozzleTotal
from drivers.twins.faults import Piece
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaultKind, PumpFaults
from drivers.twins.pumps.parts import FULL, Phase, Preset
from drivers.twins.pumps.parts import Sale as PumpSale
from protocols.fieldbus.azt import PumpEar, Request
from protocols.fieldbus.azt_app import RULES, TYPES, Command, FullSale, State, Status, Totals, number, value
from protocols.fieldbus.azt_frames import Above15, Short, encode_long, encode_short
from protocols.fieldbus.expect import NeedMore

OPTIONS: Final[Mapping[str, str | int | bool]] = {
    "above_15": "blocks",
    "type": "H",
    "turnaround_ms": 5,
    "total_digits": 8,
    "tells_type": True,  # else NAK, as protocol versions that have dropped it
    "tells_sale_always": True,  # else in state 4 only
    "knows_money": True,  # takes doses of money
}
_FULL_DOSE: Final = 99_999


class AztTwin:
    """A pump's end of the line: one nozzle, one address."""

    def __init__(
        self, pump: Dispenser, address: int, faults: PumpFaults, options: Mapping[str, str | int | bool] | None = None
    ) -> None:
        """Raises ValueError for an unknown option, and for more nozzles than one address has."""
        if unknown := set(options or {}) - OPTIONS.keys():
            raise ValueError(f"unknown options {sorted(unknown)}; AZT has {', '.join(OPTIONS)}")
        if len(pump.nozzles) != 1:
            raise ValueError(f"AZT has one nozzle at an address, not {len(pump.nozzles)}")
        self.pump = pump
        self.faults = faults
        self.options = {**OPTIONS, **(options or {})}
        self.widths = TYPES[str(self.options["type"])]
        self.asked: list[Request] = []  # what it was asked but for its status, newest last
        self._nozzle = min(pump.nozzles)
        self._ear = PumpEar(address, Above15(str(self.options["above_15"])))
        self._dose: Preset | None = None
        self._dose_is_local = False
        self._started = False  # by command, without a lifted nozzle
        self._erased: PumpSale | None = None  # a new price has made the pump forget this one
        self._read: bytes | None = None  # the sale that was last asked for, as it was then
        self._old: tuple[State, int] | None = None  # a state that is shown until then

    def hear(self, data: bytes) -> Sequence[Piece]:
        self._ear.receive_data(data)
        pieces: list[Piece] = []
        while not isinstance(request := self._ear.next_event(), NeedMore):
            if request.command == Command.BROADCAST:
                continue
            pieces += self._say(self._answer(request))
        return pieces

    def silence(self) -> None:
        self._ear.silence()

    def set_at_panel(self, preset: Preset) -> None:
        """Somebody sets a dose at the pump's own panel."""
        self._dose, self._dose_is_local = preset, True

    @property
    def state(self) -> State:
        """As it truly is."""
        pump = self.pump
        match pump.phase:
            case Phase.AUTHORISED:
                return State.DISPENSING if pump.out == self._nozzle or self._started else State.AUTHORISED
            case Phase.DELIVERING | Phase.SUSPENDED:
                return State.DISPENSING
            case Phase.REACHED | Phase.ENDED:
                return State.ENDED
        if self._dose_is_local:
            return State.LOCAL_DOSE
        return State.IDLE if pump.out is None else State.LIFTED

    def _say(self, answer: Short | bytes) -> list[Piece]:
        data = encode_short(answer) if isinstance(answer, Short) else encode_long(answer)
        pieces = self.faults.spoil(data)
        if pieces:
            pieces.insert(0, Piece(b"", after_us=int(self.options["turnaround_ms"]) * 1000))
        return pieces

    def _answer(self, request: Request) -> Short | bytes:
        state = self.state
        if request.command not in RULES:
            return Short.NAK
        command = Command(request.command)
        if command is Command.STATUS:
            return self._status()
        self.asked.append(request)
        rule = RULES[command]
        if not rule.long:
            if fault := self.faults.take(PumpFaultKind.REFUSE):
                return Short(fault.amount_or(Short.CAN.value))
            if self.faults.take(PumpFaultKind.NO_EFFECT):
                return Short.ACK
        if state not in rule.states:
            return Short.CAN
        answer = self._tell(command) if rule.long else self._do(command, request.data)
        if command is Command.AUTHORISE and (fault := self.faults.take(PumpFaultKind.LATE_STATUS)):
            self._old = (state, self.pump.now_ms + fault.amount_or(0))
        return answer

    def _status(self) -> bytes:
        state, pump = self.state, self.pump
        if fault := self.faults.take(PumpFaultKind.STALE):
            self._old = (State.IDLE, pump.now_ms + fault.amount_or(0))
        if self._old is not None:
            old, until_ms = self._old
            if pump.now_ms < until_ms:
                return Status(old).encode()
            self._old = None
        ended = state is State.ENDED
        over = ended and pump.memory is not None and self._overran(pump.memory)
        return Status(state, int(over), int(ended and pump.alarm is not None)).encode()

    def _overran(self, sale: PumpSale) -> bool:
        return sale.preset.kind == "volume" and self.pump.volume_ml(sale) > sale.preset.limit

    def _tell(self, command: Command) -> Short | bytes:
        """Answers with data."""
        pump, decimals = self.pump, self.pump.head.decimals
        match command:
            case Command.VOLUME:
                return number(pump.shown_ml // decimals.volume_ml(1), 6)
            case Command.FULL_SALE:
                if self.state is not State.ENDED and not self.options["tells_sale_always"]:
                    return Short.CAN
                self._read = self._sale().encode(self.widths)
                return self._read
            case Command.TOTALS:
                return self._totals(pump.total(self._nozzle)).encode()
            case Command.TYPE:
                return str(self.options["type"]).encode() if self.options["tells_type"] else Short.NAK
            case Command.VERSION:
                return b"00000002"
            case Command.READ_DOSE:
                return Short.CAN if self._dose is None else number(self._dose_digits(self._dose), 6)
            case Command.ERROR:
                return Short.CAN if pump.alarm is None else b"002"
            case _:
                return Short.NAK

    def _do(self, command: Command, data: bytes) -> Short:
        """Answers without: it was done, or not."""
        match command:
            case Command.AUTHORISE:
                return self._authorise()
            case Command.STOP:
                return self._stop()
            case Command.CONFIRM:
                if self._read is None or self._read != self._sale().encode(self.widths):
                    return Short.CAN
                self._read = None
                return Short.ACK if self.pump.close() is None else Short.CAN
            case Command.PRICE:
                return self._set_price(value(data))
            case Command.DOSE_MONEY:
                if not self.options["knows_money"]:
                    return Short.NAK
                digits = value(data)
                return self._set_dose("amount", None if digits is None else self.pump.head.decimals.amount_fen(digits))
            case Command.DOSE_VOLUME:
                if data[5:] == b"1":
                    self._dose = FULL
                    return Short.ACK
                digits = value(data[:5])
                return self._set_dose("volume", None if digits is None else self.pump.head.decimals.volume_ml(digits))
            case Command.START:
                self._started = True
                return Short.ACK
            case Command.SHOW_ERROR:
                return Short.ACK
            case _:
                return Short.NAK

    def _authorise(self) -> Short:
        if self._dose is None or self.pump.authorise(self._dose, {self._nozzle}) is not None:
            return Short.CAN
        self._dose, self._dose_is_local, self._started, self._read = None, False, False, None
        return Short.ACK

    def _stop(self) -> Short:
        if self._dose_is_local:
            self._dose, self._dose_is_local = None, False
            return Short.ACK
        return Short.ACK if self.pump.stop() is None else Short.CAN

    def _set_price(self, digits: int | None) -> Short:
        if not digits or self.pump.set_prices({self._nozzle: self.pump.head.decimals.price_e3(digits)}) is not None:
            return Short.CAN
        self._erased = self.pump.memory
        return Short.ACK

    def _set_dose(self, kind: str, limit: int | None) -> Short:
        if not limit:
            return Short.CAN
        self._dose = Preset("amount" if kind == "amount" else "volume", limit)
        return Short.ACK

    def _dose_digits(self, dose: Preset) -> int:
        """In volume, whatever it was given in."""
        if dose.kind == "full":
            return _FULL_DOSE
        limit_ml = dose.limit
        if dose.kind == "amount":
            limit_ml = dose.limit * 1_000_000 // max(1, self.pump.prices_e3.get(self._nozzle, 1))
        return min(_FULL_DOSE, self.pump.head.decimals.volume_digits(limit_ml))

    def _sale(self) -> FullSale:
        pump, decimals = self.pump, self.pump.head.decimals
        price_e3 = pump.prices_e3.get(self._nozzle, 0)
        shown = pump.shown
        if shown is None or shown is self._erased:
            return FullSale(0, 0, price_e3 // decimals.price_e3(1))
        return FullSale(
            pump.volume_ml(shown) // decimals.volume_ml(1),
            pump.amount_fen(shown) // decimals.amount_fen(1),
            price_e3 // decimals.price_e3(1),
        )

    def _totals(self, total: NozzleTotal) -> Totals:
        width, decimals = int(self.options["total_digits"]), self.pump.head.decimals
        most = 10**width
        amount = (total.amount_fen or 0) // decimals.total_fen(1)
        return Totals(total.volume_ml // decimals.total_ml(1) % most, amount % most, width)
