"""A simulated pump that speaks Sanki: what it answers, in which state, over the common model of a pump.

    Phase    IDLE             AUTHORISED              DELIVERING, REACHED   ENDED
    state    00, 55 lifted    33, 44 nozzle lifted    44                    as IDLE; 11 after a limit, 22 after a stop

Where the one source is silent the twin does what is hardest for its host: without host mode it refuses all that sells,
an unused preset refuses the next, a chain byte that was seen already is acknowledged and nothing is done.

Faults of the dialogue: REFUSE (66), NO_EFFECT (99, not done), LATE_STATUS and STALE (an older state is shown for
`amount` ms).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from drivers.twins.faults import Piece
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaultKind, PumpFaults
from drivers.twins.pumps.parts import FULL, Change, EndedBy, Phase, Preset
from drivers.twins.pumps.parts import Sale as PumpSale
from protocols.fieldbus.expect import NeedMore
from protocols.fieldbus.sanki import PumpEar, Request, answer, frame, short_answer
from protocols.fieldbus.sanki_app import SHAPES, Command, LastSale, Outcome, State, Status, Totals, digits, price

OPTIONS: Final[Mapping[str, str | int | bool]] = {
    "turnaround_ms": 5,
    "host_mode": "command",  # it must be told; "hand": set at the pump, and refused; "deaf": not even answered
    "short_by": 1,  # how much shorter than others the answers to 82 and 89 are
    "preset_authorises": False,
}
_SELLING: Final = frozenset({Command.PRESET_VOLUME, Command.PRESET_AMOUNT, Command.AUTHORISE, Command.PRICE})
_ACTS: Final = frozenset(command for command, shape in SHAPES.items() if shape.answered == 1)


class SankiTwin:
    """A pump's end of the line: one nozzle, one fuelling point."""

    def __init__(
        self, pump: Dispenser, address: int, faults: PumpFaults, options: Mapping[str, str | int | bool] | None = None
    ) -> None:
        """Raises ValueError for an unknown option, and for more nozzles than one address has."""
        if unknown := set(options or {}) - OPTIONS.keys():
            raise ValueError(f"unknown options {sorted(unknown)}; Sanki has {', '.join(OPTIONS)}")
        if len(pump.nozzles) != 1:
            raise ValueError(f"Sanki has one nozzle at an address, not {len(pump.nozzles)}")
        self.pump = pump
        self.faults = faults
        self.options = {**OPTIONS, **(options or {})}
        self.asked: list[Request] = []  # what it was asked but for its status, newest last
        self._nozzle = min(pump.nozzles)
        self._point = address
        self._ear = PumpEar(address)
        self._hosted = self.options["host_mode"] != "command"
        self._preset: Preset | None = None
        self._chain: int | None = None
        self._deleted: PumpSale | None = None
        self._old: tuple[int, int] | None = None  # a state that is shown until then
        pump.listeners.append(self._on_change)

    def hear(self, data: bytes) -> Sequence[Piece]:
        self._ear.receive_data(data)
        pieces: list[Piece] = []
        while not isinstance(request := self._ear.next_event(), NeedMore):
            if self.pump.phase is Phase.ENDED and self.pump.out is None:
                self.pump.close()
            spoken = self.faults.spoil(told) if (told := self._answer(request)) else []
            if spoken:
                pieces += [Piece(b"", after_us=int(self.options["turnaround_ms"]) * 1000), *spoken]
        return pieces

    def silence(self) -> None:
        self._ear.silence()

    def set_at_panel(self, preset: Preset) -> None:
        """Somebody sets a limit at the pump's own panel."""
        self._preset = preset

    @property
    def state(self) -> State:
        """As it truly is."""
        pump, last = self.pump, self.pump.memory
        match pump.phase:
            case Phase.AUTHORISED:
                return State.BUSY if pump.out == self._nozzle else State.AUTHORISED
            case Phase.DELIVERING | Phase.SUSPENDED | Phase.REACHED:
                return State.BUSY
            case Phase.ENDED if pump.out is not None and last is not None and last.ended_by is EndedBy.STOPPED:
                return State.RESET
        if pump.out is not None:
            return State.LIFTED
        return State.LIMIT if last is not None and last.ended_by is EndedBy.LIMIT else State.HUNG_UP

    def _on_change(self, change: Change) -> None:
        if change is Change.LIGHT:
            self._hosted = self.options["host_mode"] != "command"
            self._preset = self._chain = self._old = None

    def _answer(self, request: Request) -> bytes:
        """Nothing: it says nothing."""
        command, before = request.command, self.state
        if command is Command.STATUS:
            return answer(command, self._point, self._status().encode())
        self.asked.append(request)
        if command is Command.TOTALS:
            return answer(command, self._point, self._totals().encode())
        if command is Command.SALE and (sale := self._last_sale()) is not None:
            return answer(command, self._point, sale.encode())
        if command is Command.HOST_MODE and self.options["host_mode"] == "deaf":
            return b""
        outcome = self._outcome(request)
        if command is Command.AUTHORISE and (fault := self.faults.take(PumpFaultKind.LATE_STATUS)):
            self._old = (before, self.pump.now_ms + fault.amount_or(0))
        if SHAPES[command].tight and self.options["short_by"]:
            return frame(command, outcome.value)
        return short_answer(command, self._point, outcome)

    def _outcome(self, request: Request) -> Outcome:
        command, data = request.command, request.data
        if command in _ACTS and self.faults.take(PumpFaultKind.REFUSE):
            return Outcome.REFUSED
        if command in _ACTS and self.faults.take(PumpFaultKind.NO_EFFECT):
            return Outcome.DONE
        if command in _SELLING and not self._hosted:
            return Outcome.REFUSED
        if command in (Command.PRESET_VOLUME, Command.PRESET_AMOUNT, Command.AUTHORISE):
            if data[-1] == self._chain:
                return Outcome.DONE
            self._chain = data[-1]
        return Outcome.DONE if self._do(command, data) else Outcome.REFUSED

    def _do(self, command: Command, data: bytes) -> bool:
        pump, decimals = self.pump, self.pump.head.decimals
        match command:
            case Command.PRICE:
                told = digits(data[:2])
                honest = told is not None and told >= 2 and price(told).data == data
                return honest and pump.set_prices({self._nozzle: decimals.price_e3(told or 0)}) is None
            case Command.PRESET_AMOUNT:
                return self._take_preset("amount", decimals.amount_fen(digits(data[:3]) or 0))
            case Command.PRESET_VOLUME:
                return self._take_preset("volume", decimals.volume_ml(digits(data[:3]) or 0))
            case Command.AUTHORISE:
                return self._authorise()
            case Command.CANCEL:
                had, self._preset = self._preset is not None, None
                return pump.stop() is None if pump.phase is Phase.AUTHORISED else had
            case Command.STOP:
                return pump.sale is not None and pump.stop() is None
            case Command.HOST_MODE:
                self._hosted = True
                return self.options["host_mode"] == "command"
            case Command.DELETE_SALE:
                self._deleted = pump.memory
                return True
            case _:
                return False

    def _take_preset(self, kind: str, limit: int) -> bool:
        if self._preset is not None or self.pump.sale is not None or not limit:
            return False
        self._preset = Preset("amount" if kind == "amount" else "volume", limit)
        return self._authorise() if self.options["preset_authorises"] else True

    def _authorise(self) -> bool:
        done = self.pump.authorise(self._preset or FULL, {self._nozzle}) is None
        self._preset = None if done else self._preset
        return done

    def _status(self) -> Status:
        pump, decimals, state = self.pump, self.pump.head.decimals, int(self.state)
        if fault := self.faults.take(PumpFaultKind.STALE):
            self._old = (State.HUNG_UP, pump.now_ms + fault.amount_or(0))
        if self._old is not None:
            if pump.now_ms < self._old[1]:
                state = self._old[0]
            else:
                self._old = None
        return Status(
            pump.prices_e3.get(self._nozzle, 0) // decimals.price_e3(1),
            pump.shown_ml // decimals.volume_ml(1),
            pump.shown_fen // decimals.amount_fen(1),
            state,
        )

    def _totals(self) -> Totals:
        total, decimals = self.pump.total(self._nozzle), self.pump.head.decimals
        volume, amount = total.volume_ml // decimals.total_ml(1), (total.amount_fen or 0) // decimals.total_fen(1)
        return Totals(volume % 10**10, amount % 10**10)

    def _last_sale(self) -> LastSale | None:
        """None: there is none."""
        pump, decimals, last = self.pump, self.pump.head.decimals, self.pump.memory
        if last is None or last is self._deleted:
            return None
        return LastSale(
            (last.price_e3 or pump.prices_e3.get(self._nozzle, 0)) // decimals.price_e3(1),
            pump.volume_ml(last) // decimals.volume_ml(1),
            pump.amount_fen(last) // decimals.amount_fen(1),
        )
