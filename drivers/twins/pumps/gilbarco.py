"""A simulated pump's end of Gilbarco Two-Wire: what it shows of the dispenser, and what it does when told.

Dialogue faults it knows: REFUSE (status 0 after a block), NO_EFFECT (a block or a word is heard and not followed),
FOREIGN, STALE, LATE_STATUS, MISSED_END (neither PEOT nor FEOT is shown).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from drivers.pump import Decimals
from drivers.twins.faults import Piece
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaultKind, PumpFaults
from drivers.twins.pumps.parts import FULL, Change, EndedBy, Head, Phase
from drivers.twins.pumps.parts import Preset as Limit
from protocols.fieldbus.gilbarco import (
    AskSpecial,
    Block,
    Command,
    DataLength,
    FillUp,
    Level,
    Preset,
    Price,
    SelectLevel,
    Status,
    ready_word,
    status_word,
)
from protocols.fieldbus.gilbarco_pump import AllStop, Asked, Event, Given, PumpEar, Spoilt
from protocols.fieldbus.gilbarco_replies import (
    EXTENDED,
    GRADES_MAX,
    NORMAL,
    GradeTotal,
    HoseVolume,
    SaleReply,
    encode_live_amount,
    encode_live_volume,
    encode_sale,
    encode_totals,
)
from protocols.fieldbus.gilbarco_special import (
    CONFIGURATION,
    EXTENDED_STATUS,
    Configuration,
    ExtendedStatus,
    encode_configuration,
    encode_extended_status,
)

OPTIONS: Final[Mapping[str, str | int | bool]] = {
    "extended": False,  # longer numbers
    "special": True,  # knows special functions 010 and 00E
    "counts_length": True,  # refuses a block whose DL is not its length
    "amount_digits": 0,  # of money presets, 5, 6 or 8; 0: any
    "volume_preset_decimals": 2,
    "resumes": False,  # goes on after a stop when authorised again
    "feot_polls": 1,  # how many status questions see FEOT
}
HEAD: Final = Head(
    decimals=Decimals(volume=3, amount=2, price=2, total_volume=2, total_amount=2),
    volume_max_ml=999_999,
    amount_max_fen=999_999,
    total_ml_wraps=1_000_000_000,
    waits_after_stop=True,
    remembers_zero=False,
)
_QUIET: Final = (Phase.AUTHORISED, Phase.DELIVERING, Phase.SUSPENDED)  # neither sale nor totals are told


class GilbarcoTwin:
    """A `bay.PumpTwin`. address: 1..=16. Raises ValueError for an option that it does not know."""

    def __init__(
        self, pump: Dispenser, address: int, faults: PumpFaults, options: Mapping[str, str | int | bool]
    ) -> None:
        if unknown := options.keys() - OPTIONS.keys():
            raise ValueError(f"expected options among {', '.join(OPTIONS)}, got {', '.join(sorted(unknown))}")
        if len(pump.nozzles) > GRADES_MAX:
            raise ValueError(f"expected at most {GRADES_MAX} nozzles, got {len(pump.nozzles)}")
        self._options = {**OPTIONS, **options}
        self._width = EXTENDED if self._options["extended"] else NORMAL
        self._pump = pump
        self._address = address
        self._faults = faults
        self._level = Level.CASH
        self._prices_e3: dict[Level, dict[int, int]] = {
            Level.CASH: dict(pump.prices_e3),
            Level.CREDIT: dict(pump.prices_e3),
        }
        numbers = sorted(pump.nozzles)
        self._grades = {numbers[0]: 1} if len(numbers) == 1 else {number: number for number in numbers}
        self._wake()
        pump.listeners.append(self._on_change)

    def hear(self, data: bytes) -> Sequence[Piece]:
        pieces: list[Piece] = []
        self._ear.receive_data(data)
        while (event := self._ear.next_event()) is not None:
            answer = self._answer(event)
            if answer:
                pieces += self._faults.spoil(answer, request=data)
        return pieces

    def silence(self) -> None:
        """Words are whole in themselves; a block that was begun may still go on, as DATA_NEXT holds."""

    def _wake(self) -> None:
        """As after power-on."""
        self._ear = PumpEar(DataLength.COUNTED if self._options["counts_length"] else None)
        self._refused = False
        self._preset: Preset | None = None
        self._flowed = False
        self._ends_to_show = 0
        self._spent = False  # its authorisation was taken back, and the nozzle is still out
        self._hidden_until_ms = 0
        self._shown = Status.OFF

    def _on_change(self, change: Change) -> None:
        match change:
            case Change.AUTHORISED:
                self._flowed = False
            case Change.FLOW:
                self._flowed = True
            case Change.REACHED | Change.ENDED if self._flowed:
                missed = self._faults.take(PumpFaultKind.MISSED_END) is not None
                self._ends_to_show = 0 if missed else int(self._options["feot_polls"])
                if missed:
                    self._pump.close()
            case Change.HUNG_UP if self._pump.out is None:
                self._spent = False
            case Change.PRICED:
                self._prices_e3[self._level].update(self._pump.prices_e3)
            case Change.LIGHT:
                self._wake()
                if not self._pump.prices_e3:
                    self._prices_e3 = {level: {} for level in Level}

    # What is answered.

    def _answer(self, event: Event) -> bytes:
        match event:
            case AllStop():
                self._stop()
                return b""
            case Spoilt(pump=pump):
                self._refused |= pump == self._address
                return b""
            case Given(pump=pump, block=block):
                return self._take(block) if pump == self._address else b""
            case Asked(pump=pump, command=command):
                return self._asked(command) if pump == self._address else b""

    def _asked(self, command: Command) -> bytes:
        pump, told = self._pump, self._pump.phase not in _QUIET
        match command:
            case Command.STATUS:
                return status_word(self._status(), self._as())
            case Command.DATA_NEXT:
                return ready_word(self._as())
            case Command.AUTHORISE:
                self._authorise()
            case Command.STOP:
                self._stop()
            case Command.SALE if told:
                return encode_sale(self._sale(), self._width)
            case Command.TOTALS if told:
                return encode_totals(self._totals(), self._width)
            case Command.LIVE_AMOUNT if pump.phase is Phase.DELIVERING:
                return encode_live_amount(pump.head.decimals.amount_digits(pump.shown_fen), self._width)
            case Command.LIVE_VOLUME if pump.phase is Phase.DELIVERING and self._width is EXTENDED:
                volume = pump.head.decimals.volume_digits(pump.shown_ml)
                return encode_live_volume(HoseVolume(self._grades[pump.selected or min(pump.nozzles)], volume))
        return b""

    def _as(self) -> int:
        """The pump that its words name."""
        fault = self._faults.take(PumpFaultKind.FOREIGN)
        return self._address if fault is None else fault.amount_or(self._address % 16 + 1)

    def _status(self) -> Status:
        if self._refused:
            self._refused = False
            return Status.DATA_ERROR
        if self._faults.take(PumpFaultKind.STALE):
            return self._shown
        self._shown = self._true_status()
        return self._shown

    def _true_status(self) -> Status:
        pump = self._pump
        if pump.phase is Phase.ENDED:
            if self._ends_to_show:
                self._ends_to_show -= 1
                return Status.FEOT
            pump.close()
        if pump.alarm is not None or pump.phase is Phase.SUSPENDED:
            return Status.STOP
        if pump.phase is Phase.REACHED:
            stopped = pump.sale is not None and pump.sale.ended_by is EndedBy.STOPPED
            return Status.STOP if stopped else Status.PEOT
        if pump.phase in (Phase.AUTHORISED, Phase.DELIVERING):
            if pump.now_ms < self._hidden_until_ms:
                return Status.CALL
            return Status.AUTHORISED if pump.phase is Phase.AUTHORISED else Status.BUSY
        return Status.CALL if pump.calling and not self._spent else Status.OFF

    def _sale(self) -> SaleReply:
        pump, decimals, sale = self._pump, self._pump.head.decimals, self._pump.shown
        if sale is None or sale.nozzle is None or sale.price_e3 is None:
            return SaleReply(self._as(), 1, self._level, 0, 0, 0)
        return SaleReply(
            pump=self._as(),
            grade=self._grades[sale.nozzle],
            level=self._level,
            price=sale.price_e3 // decimals.price_e3(1),
            volume=decimals.volume_digits(pump.volume_ml(sale)),
            amount=decimals.amount_digits(pump.amount_fen(sale)),
        )

    def _totals(self) -> tuple[GradeTotal, ...]:
        decimals = self._pump.head.decimals
        totals = []
        for number, grade in self._grades.items():
            total = self._pump.total(number)
            cash, credit = (prices.get(number, 0) // decimals.price_e3(1) for prices in self._prices_e3.values())
            volume = total.volume_ml // decimals.total_ml(1)
            amount = (total.amount_fen or 0) // decimals.total_fen(1) % 10**self._width.total
            totals.append(GradeTotal(grade, volume % 10**self._width.total, amount, cash, credit))
        return tuple(totals)

    # What is done.

    def _authorise(self) -> None:
        pump, preset = self._pump, self._preset
        if self._faults.take(PumpFaultKind.NO_EFFECT):
            return
        if pump.phase is Phase.SUSPENDED:
            pump.resume()
            return
        if not pump.calling or self._spent:
            return
        self._preset = None
        grades = None if preset is None or preset.grade is None else [preset.grade]
        allowed = None if grades is None else [number for number, grade in self._grades.items() if grade in grades]
        if pump.authorise(FULL if preset is None else self._limit(preset), allowed) is None and (
            fault := self._faults.take(PumpFaultKind.LATE_STATUS)
        ):
            self._hidden_until_ms = pump.now_ms + fault.amount_or(0)

    def _limit(self, preset: Preset) -> Limit:
        if preset.kind == "amount":
            return Limit("amount", self._pump.head.decimals.amount_fen(preset.value))
        return Limit("volume", preset.value * int(10 ** (3 - int(self._options["volume_preset_decimals"]))))

    def _stop(self) -> None:
        pump = self._pump
        if self._faults.take(PumpFaultKind.NO_EFFECT):
            return
        if pump.phase is Phase.AUTHORISED:
            pump.stop()
            pump.close()
            self._spent = pump.out is not None
        elif pump.phase is Phase.DELIVERING and self._options["resumes"]:
            pump.suspend()
        elif pump.phase is Phase.DELIVERING:
            pump.stop()

    def _take(self, block: Block) -> bytes:
        """A block for us: done, refused, or answered."""
        if self._faults.take(PumpFaultKind.REFUSE):
            self._refused = True
        elif self._faults.take(PumpFaultKind.NO_EFFECT):
            return b""
        elif isinstance(block, AskSpecial):
            return self._special(block.function)
        else:
            self._refused = not self._done(block)
        return b""

    def _special(self, function: int) -> bytes:
        pump = self._pump
        if self._options["special"] and function == EXTENDED_STATUS:
            nozzle = None if pump.out is None else self._grades[pump.out]
            return encode_extended_status(self._as(), ExtendedStatus(pump.out is not None, nozzle, needs_level=False))
        if self._options["special"] and function == CONFIGURATION:
            said = Configuration(0, 0, amount_digits=int(self._options["amount_digits"]) or 6, auto_on=0)
            return encode_configuration(self._as(), said)
        self._refused = True
        return b""

    def _done(self, block: Block) -> bool:
        """False: the pump cannot do it."""
        pump = self._pump
        match block:
            case _ if pump.sale is not None:
                return False
            case SelectLevel(level=level):
                return self._use(level)
            case FillUp():
                self._preset = None
                return True
            case Price(grade=grade, level=level, price=price, digits=digits):
                number = next((number for number, known in self._grades.items() if known == grade), None)
                if number is None or digits != self._width.price:
                    return False
                self._prices_e3[level][number] = pump.head.decimals.price_e3(price)
                return level is not self._level or self._use(level)
            case Preset():
                return self._keep(block)
        return False

    def _use(self, level: Level) -> bool:
        prices = self._prices_e3[level]
        if any(price <= 0 for price in prices.values()) or self._pump.set_prices(prices) is not None:
            return False
        self._level = level
        return True

    def _keep(self, preset: Preset) -> bool:
        """A preset counts with a nozzle out; one given before is lost, as on some heads."""
        digits = int(self._options["amount_digits"])
        if preset.kind == "amount" and digits and preset.digits != digits:
            return False
        if preset.grade is not None and preset.grade not in self._grades.values():
            return False
        if preset.level is not None and not self._use(preset.level):
            return False
        self._preset = preset if preset.value and self._pump.calling else None
        return True
