"""A simulated pump's end of DART: its states, its blocks, and how heads differ in them.

States are the dispenser's phases (`STATES`); a change is told by itself at the next poll. What is acknowledged is done
only where the state allows it, and otherwise without a word, as real pumps do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from drivers.twins.faults import Piece
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaultKind, PumpFaults
from drivers.twins.pumps.parts import FULL, Change, Phase, Preset
from protocols.fieldbus.dart_app import (
    AMOUNT_COUNTER,
    Alarm,
    Allow,
    AmountTotal,
    Ask,
    AskAmountTotal,
    AskTotals,
    Command,
    Filled,
    FromController,
    FromPump,
    Identity,
    NozzlePrice,
    Parameters,
    PresetAmount,
    PresetVolume,
    Prices,
    Resume,
    State,
    Status,
    Suspend,
    Totals,
    decode_from_controller,
    encode_to_controller,
)
from protocols.fieldbus.dart_frames import Control, Frame, FrameReader, encode_frame
from protocols.fieldbus.dart_link import Numbering, Slave

STATES: Final[Mapping[Phase, State]] = {
    Phase.UNPRICED: State.NOT_PROGRAMMED,
    Phase.IDLE: State.RESET,
    Phase.AUTHORISED: State.AUTHORIZED,
    Phase.DELIVERING: State.FILLING,
    Phase.ENDED: State.COMPLETED,
    Phase.REACHED: State.MAX_REACHED,
    Phase.SWITCHED_OFF: State.SWITCHED_OFF,
    Phase.SUSPENDED: State.SUSPENDED,
}
OPTIONS: Final[Mapping[str, str | int | bool]] = {
    "numbering": "f-1",  # of its own blocks: f-1, f-0 or 0
    "master-zero": False,  # takes 0 after 0 for a new block
    "totals": 16,  # bytes of its answer to CD101: 6, 13 or 16
    "amount-totals": "65",  # how its totals of money are asked for: 65, 66 or none
    "suspend": "cd14",  # what suspends it: cd14, cd1 or none
    "lift-first": False,  # takes presets and authorisations only with a nozzle out
    "totals-lifted": True,  # gives totals with a nozzle out
    "last-nozzle": True,  # goes on showing the nozzle that was hung up; else 0
    "parameters": True,  # answers with DC7
    "answer-ms": 10,  # from the end of a request to its first byte
}
_TOLD_BY_STATE: Final = (
    Change.AUTHORISED,
    Change.FLOW,
    Change.SUSPENDED,
    Change.RESUMED,
    Change.REACHED,
    Change.CLOSED,
    Change.PRICED,
    Change.SWITCHED_OFF,
)
_BLOCK_WORDS: Final = 8  # told in one block; the rest waits for the next
_NEWS_MAX: Final = 64  # a head forgets the oldest of what nobody fetches
_EMERGENCY, _POWER_FAILURE = 0x09, 0x0A


class DartTwin:
    """A `bay.PumpTwin`. options: those of `OPTIONS`. Raises ValueError for others.

    Of the faults in the dialogue it does wrong-sequence, refuse (NAK), no-effect, foreign, stale (the status it gave
    before) and late-status (of AUTHORIZED).
    """

    def __init__(
        self, pump: Dispenser, address: int, faults: PumpFaults, options: Mapping[str, str | int | bool]
    ) -> None:
        if unknown := options.keys() - OPTIONS.keys():
            raise ValueError(f"expected options of {', '.join(OPTIONS)}, got {', '.join(sorted(unknown))}")
        self._options = {**OPTIONS, **options}
        self._pump = pump
        self._faults = faults
        self._reader = FrameReader()
        self._slave = Slave(
            address,
            Numbering(str(self._options["numbering"])),
            master_says_zero_always=bool(self._options["master-zero"]),
        )
        self._allowed: tuple[int, ...] = ()
        self._preset = FULL
        self._told_filled: Filled | None = None
        self._held_until_ms: int | None = None  # AUTHORIZED is not shown before
        self._state_before = self._state_now = self._state
        self._last_nozzle = 0
        self._news: list[FromPump] = [self._status(), self._nozzle_price()]
        pump.listeners.append(self._on_change)

    def hear(self, data: bytes) -> Sequence[Piece]:
        return [piece for frame in self._reader.feed(data) for piece in self._answer(frame)]

    def silence(self) -> None:
        self._reader.silence()

    # The link.

    def _answer(self, frame: Frame) -> list[Piece]:
        if frame.address != self._slave.address:
            return []
        reply = self._reply(frame)
        if reply is None:
            return []
        if reply.control is Control.DATA and self._faults.take(PumpFaultKind.WRONG_SEQUENCE):
            reply = replace(reply, number=(reply.number + 7) % 16 or 7)
        if fault := self._faults.take(PumpFaultKind.FOREIGN):
            reply = replace(reply, address=fault.amount_or(reply.address + 1))
        pieces = self._faults.spoil(encode_frame(reply), request=encode_frame(frame))
        if pieces:
            pause_us = int(self._options["answer-ms"]) * 1_000
            pieces[0] = replace(pieces[0], after_us=pieces[0].after_us + pause_us)
        return pieces

    def _reply(self, frame: Frame) -> Frame | None:
        if frame.control is Control.DATA and self._faults.take(PumpFaultKind.REFUSE):
            return Frame(frame.address, Control.NAK, frame.number)
        if frame.control is Control.ACKPOLL:
            self._slave.hear(Frame(frame.address, Control.ACK, frame.number))
            frame = Frame(frame.address, Control.POLL)
        if frame.control is Control.POLL:
            self._refill()
        heard = self._slave.hear(frame)
        if heard.data is not None and not self._faults.take(PumpFaultKind.NO_EFFECT):
            for word in decode_from_controller(heard.data):
                self._do(word)
        return heard.reply

    def _refill(self) -> None:
        """What the next block says, once the one before is acknowledged."""
        if not self._slave.quiet:
            return
        if self._held_until_ms is not None and self._pump.now_ms >= self._held_until_ms:
            self._held_until_ms = None
            self._tell(self._status())
        if self._pump.phase is Phase.DELIVERING and (filled := self._filled()) != self._told_filled:
            self._tell(filled)
        if self._news:
            block, self._news = self._news[:_BLOCK_WORDS], self._news[_BLOCK_WORDS:]
            self._told_filled = next((word for word in block if isinstance(word, Filled)), self._told_filled)
            self._slave.offer(encode_to_controller(*block))

    def _tell(self, *words: FromPump) -> None:
        self._news = [*self._news, *words][-_NEWS_MAX:]

    # What it is told.

    def _do(self, word: FromController) -> None:
        pump, decimals = self._pump, self._pump.head.decimals
        match word:
            case Command(what):
                self._command(what)
            case Allow(nozzles):
                self._allowed = nozzles
            case PresetVolume(digits):
                self._set_preset(Preset("volume", decimals.volume_ml(digits)))
            case PresetAmount(digits):
                self._set_preset(Preset("amount", decimals.amount_fen(digits)))
            case Prices(digits):
                if len(digits) >= max(pump.nozzles):  # else ignored; what is too much is ignored too
                    pump.set_prices({nozzle: decimals.price_e3(digits[nozzle - 1]) for nozzle in pump.nozzles})
            case Suspend(nozzle):
                self._pause(Suspend(nozzle), "cd14")
            case Resume(nozzle):
                self._pause(Resume(nozzle), "cd14")
            case AskTotals(counter):
                self._tell_totals(counter)
            case AskAmountTotal(nozzle):
                if self._options["amount-totals"] == "66" and nozzle in pump.nozzles and self._gives_totals:
                    self._tell(AmountTotal(nozzle, (self._total_digits(nozzle)[1],)))
            case _:
                pass  # CD7, CD9, CD13: taken, and nothing of it shows

    def _command(self, what: int) -> None:
        pump, phase = self._pump, self._pump.phase
        match what:
            case Ask.STATUS:
                shown = self._state_before if self._faults.take(PumpFaultKind.STALE) else self._state
                self._tell(Status(shown), self._nozzle_price())
            case Ask.PARAMETERS if self._options["parameters"]:
                decimals = pump.head.decimals
                self._tell(Parameters(decimals.volume, decimals.amount, decimals.price, 99_999_999))
            case Ask.IDENTITY:
                self._tell(Identity("0001020300"))
            case Ask.FILLING if phase not in (Phase.UNPRICED, Phase.SWITCHED_OFF):
                self._tell(self._filled(), self._nozzle_price())
            case Ask.RESET if phase in (Phase.IDLE, Phase.ENDED, Phase.REACHED, Phase.SWITCHED_OFF):
                self._preset = FULL
                pump.reset()
            case Ask.AUTHORIZE if phase is Phase.IDLE and self._may_start:
                pump.authorise(self._preset, self._allowed)
            case Ask.STOP:
                pump.stop()
            case Ask.SWITCH_OFF:
                pump.switch_off()
            case Ask.SUSPEND:
                self._pause(Suspend(), "cd1")
            case Ask.RESUME:
                self._pause(Resume(), "cd1")
            case _:
                pass  # acknowledged, and not done

    def _set_preset(self, preset: Preset) -> None:
        """Before a sale it waits for AUTHORIZE; during one the last counts. No more than the display can show."""
        head = self._pump.head
        most = head.amount_max_fen if preset.kind == "amount" else head.volume_max_ml
        preset = replace(preset, limit=min(preset.limit, most))
        if self._pump.sale is not None:
            self._pump.change_preset(preset)
        elif self._pump.phase is Phase.IDLE and self._may_start:
            self._preset = preset

    def _pause(self, word: Suspend | Resume, way: str) -> None:
        if self._options["suspend"] != way:
            return
        if isinstance(word, Suspend):
            self._pump.suspend()
        else:
            self._pump.resume()
        if way == "cd14":
            self._tell(word)

    def _tell_totals(self, counter: int) -> None:
        nozzle, of_amount = counter & 0x0F, counter & 0xF0 == AMOUNT_COUNTER
        if nozzle not in self._pump.nozzles or not self._gives_totals:
            return
        volume, amount = self._total_digits(nozzle)
        if of_amount:
            if self._options["amount-totals"] == "65":
                self._tell(Totals(counter, (amount,)))
        elif self._options["totals"] == 13:
            self._tell(Totals(counter, (volume, amount)))
        else:
            self._tell(Totals(counter, (volume,) if self._options["totals"] == 6 else (volume, volume, 0)))

    # What it shows.

    @property
    def _state(self) -> State:
        held = self._held_until_ms is not None and self._pump.phase is Phase.AUTHORISED
        return State.RESET if held else STATES[self._pump.phase]

    def _status(self) -> Status:
        return Status(self._state)

    def _nozzle_price(self) -> NozzlePrice:
        pump = self._pump
        if pump.out is not None:
            self._last_nozzle = pump.out
        nozzle = self._last_nozzle if pump.out is not None or self._options["last-nozzle"] else 0
        price_e3 = pump.prices_e3.get(self._last_nozzle or min(pump.nozzles), 0)
        return NozzlePrice(price_e3 // pump.head.decimals.price_e3(1), nozzle, pump.out is not None)

    def _filled(self) -> Filled:
        decimals = self._pump.head.decimals
        return Filled(decimals.volume_digits(self._pump.shown_ml), decimals.amount_digits(self._pump.shown_fen))

    def _total_digits(self, nozzle: int) -> tuple[int, int]:
        total, decimals = self._pump.total(nozzle), self._pump.head.decimals
        return total.volume_ml // decimals.total_ml(1), (total.amount_fen or 0) // decimals.total_fen(1)

    @property
    def _gives_totals(self) -> bool:
        return bool(self._options["totals-lifted"]) or self._pump.out is None

    @property
    def _may_start(self) -> bool:
        return self._pump.out is not None or not self._options["lift-first"]

    def _on_change(self, change: Change) -> None:
        if change is Change.AUTHORISED and (fault := self._faults.take(PumpFaultKind.LATE_STATUS)):
            self._held_until_ms = self._pump.now_ms + fault.amount_or(0)
            return
        if change in (Change.LIFTED, Change.HUNG_UP):
            self._tell(self._nozzle_price())
        elif change in _TOLD_BY_STATE:
            self._held_until_ms = None
            self._tell(self._status())
        elif change is Change.ENDED:
            self._held_until_ms = None
            self._tell(self._filled(), self._nozzle_price(), self._status())
        elif change is Change.ALARM:
            self._tell(Alarm(_EMERGENCY))
        elif change is Change.DARK:
            self._slave.restart()
            self._reader.silence()
            self._news, self._allowed, self._preset = [], (), FULL
            self._told_filled = self._held_until_ms = None
        elif change is Change.LIGHT:
            self._tell(Alarm(_POWER_FAILURE), self._status(), self._nozzle_price())
        if self._state is not self._state_now:
            self._state_before, self._state_now = self._state_now, self._state
