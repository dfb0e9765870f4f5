"""A simulated PTS-2: what the controller knows of its pumps, and what it answers. No I/O; see `pts_serve` for HTTP.

It numbers sales, keeps each open until it is closed, and writes them to a memory card. A sale of zero leaves no trace.

Of the faults of the dialogue it does REFUSE (error code `amount`, 41), NO_EFFECT, FOREIGN (answers for pump `amount`),
STALE (shows the status before), MISSED_END (closes the sale itself).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.faults import PumpFaultKind
from drivers.twins.pumps.parts import EndedBy, Phase, Preset, Sale
from drivers.twins.pumps.parts import Refusal as No
from protocols.fieldbus import jsonpts_packets as p
from protocols.fieldbus.jsonpts import Answer, Answerer, Asker, Done, Report
from protocols.fieldbus.jsonpts_errors import Code, Malformed, Refusal
from protocols.fieldbus.jsonpts_numbers import LITRE_PLACES, PRICE_PLACES, YUAN_PLACES, fen, ml, number, price_e3

START: Final = datetime(2026, 11, 22, 6, 0, 0)  # the controller's local time when the pumps' own time is 0
WRITES: Final = (p.PumpAuthorize, p.PumpStop, p.PumpSuspend, p.PumpResume, p.PumpCloseTransaction, p.PumpSetPrices)

_REFUSALS: Final = {
    No.DARK: Code.PUMP_BUSY_OTHER_REQUEST_EXECUTED,
    No.ALARM: Code.PUMP_BUSY_OTHER_REQUEST_EXECUTED,
    No.OFF: Code.PUMP_BUSY_OTHER_REQUEST_EXECUTED,
    No.UNPRICED: Code.COULD_NOT_GET_PRICE_VALUE,
    No.PHASE: Code.PUMP_BUSY_FILLING,
    No.LIMIT: Code.TYPE_OUT_OF_RANGE,
}


@dataclass(slots=True)
class Transaction:
    """One sale in the controller's count. closed: it needs no host any more."""

    number: int
    sale: Sale
    order: p.PumpAuthorize
    started_at: str
    closed: bool = False
    record: p.PumpTransactionRecord | None = None  # once it is over, if anything was sold


@dataclass(slots=True)
class Place:
    """One pump in the controller's memory. due: results that the next status questions bring."""

    number: int
    bay: Bay
    current: Transaction | None = None
    last: p.PumpTransactionRecord | None = None
    due: list[p.Packet] = field(default_factory=list)
    locked: bool = False
    shown: p.Packet | None = None


class PtsTwin:
    """One controller. Options: see the attributes."""

    def __init__(
        self,
        bays: Mapping[int, Bay],
        *,
        pts_id: str = "003A003A3435510938393730",
        money_in_volume: bool = False,
        tells_order: bool = True,
        needs_number: bool = False,
        has_card: bool = True,
        first_number: int = 1,
        longest: int = 65_536,
    ) -> None:
        """money_in_volume: PumpFillingStatus's Volume is the amount, and its Amount that times the price.

        tells_order: an idle pump with an order says so in `Request`. needs_number: no PumpGetTransactionInformation
        without a number. has_card: keeps sales for ReportGetPumpTransactions. first_number: of the next sale.
        longest: bytes of a request that it reads.
        """
        self.places = {number: Place(number, bay) for number, bay in bays.items()}
        self.pts_id = pts_id
        self.money_in_volume = money_in_volume
        self.tells_order = tells_order
        self.needs_number = needs_number
        self.has_card = has_card
        self.card: list[p.PumpTransactionRecord] = []
        self.uploaded = 0  # how many of `card` the host has said OK to
        self.asked: list[p.Packet] = []  # the newest questions, for tests
        self._known: dict[tuple[int, int], Transaction] = {}
        self._next = dict.fromkeys(bays, first_number)
        self._longest = longest
        self._answerer = Answerer(pts_id)

    def hear(self, body: bytes) -> bytes:
        """The answer to one envelope."""
        if len(body) > self._longest:
            return self._answerer.refuse(Refusal.of(Code.JSON_REQUEST_IS_TOO_LONG))
        try:
            heard = self._answerer.receive(body)
        except Malformed:
            return self._answerer.refuse(Refusal.of(Code.INVALID_JSON_REQUEST))
        self.asked = [*self.asked[-200:], *(asked.question for asked in heard if asked.question is not None)]
        return self._answerer.answer(
            [(one, self.answer(one.question) if one.question is not None else one.refusal or Done()) for one in heard]
        )

    def catch_up(self) -> None:
        """Bring all pumps up to now, and look what became of their sales."""
        for place in self.places.values():
            place.bay.catch_up()
            self._look(place)

    def forget(self, *, card: bool = False) -> None:
        """Lose the memory of sales, as after a restart with an empty battery. card: the memory card's, too."""
        for place in self.places.values():
            if place.bay.pump.phase is Phase.ENDED:
                place.bay.pump.close()
            place.current = place.last = place.shown = None
            place.due.clear()
        self._known.clear()
        if card:
            self.card.clear()

    def upload(self) -> bytes | None:
        """The next sale that the host has not said OK to, as the controller pushes it; None: there is none."""
        if self.uploaded >= len(self.card):
            return None
        record = msgspec.structs.asdict(self.card[self.uploaded])
        return Asker(self.pts_id).ask([p.UploadPumpTransaction(**record, is_offline=False)])

    def answer(self, question: p.Packet) -> Answer:
        """What the controller says and does."""
        self.catch_up()
        pump = getattr(question, "pump", None)
        if pump is None or isinstance(question, (p.PumpEmergencyStop, p.ReportGetPumpTransactions)):
            return self._general(question)
        place = self.places.get(pump)
        if place is None:
            return Refusal.of(Code.PUMP_IS_NOT_CONFIGURED)
        faults = place.bay.faults
        if fault := faults.take(PumpFaultKind.REFUSE):
            return Refusal(fault.amount_or(41), "JSONPTS_ERROR_SIMULATED")
        if isinstance(question, WRITES) and faults.take(PumpFaultKind.NO_EFFECT):
            return (
                p.PumpAuthorizeConfirmation(pump=pump, transaction=1)
                if isinstance(question, p.PumpAuthorize)
                else Done()
            )
        answer = self._of_pump(place, question)
        self._look(place)
        if (fault := faults.take(PumpFaultKind.FOREIGN)) and isinstance(answer, p.OfPump):
            return msgspec.structs.replace(answer, pump=fault.amount_or(pump % p.PUMP_MAX + 1))
        return answer

    def _general(self, question: p.Packet) -> Answer:
        match question:
            case p.GetUniqueIdentifier():
                return p.UniqueIdentifier(id=self.pts_id)
            case p.GetDateTime():
                return p.DateTime(date_time=self._now())
            case p.GetSystemDecimalDigits():
                return p.SystemDecimalDigits(price=2, amount=2, volume=2, amount_total=2, volume_total=2)
            case p.GetConfigurationIdentifier():
                return p.ConfigurationIdentifier(id="00000001")
            case p.GetPumpsConfiguration():
                return p.PumpsConfiguration(pumps=[p.PumpPort(id=one, port=1, address=one) for one in self.places])
            case p.PumpEmergencyStop(pump=which):
                for place in self.places.values():
                    if which in (0, place.number):
                        place.bay.pump.stop()
                return Done()
            case p.ReportGetPumpTransactions(pump=which, date_time_start=since, date_time_end=until):
                if not self.has_card:
                    return Refusal.of(Code.NO_SD_FOUND)
                fitting = [r for r in self.card if which in (0, r.pump) and since <= r.date_time <= until]
                return Report(tuple(fitting))
        return Refusal.of(Code.NOT_FOUND)

    def _of_pump(self, place: Place, question: p.Packet) -> Answer:
        pump = place.bay.pump
        match question:
            case p.PumpGetStatus():
                return self._status(place)
            case p.PumpGetTransactionInformation(transaction=wanted):
                return self._information(place, wanted)
            case p.PumpAuthorize():
                return self._authorize(place, question)
            case p.PumpStop():
                if pump.sale is None:
                    return Refusal.of(Code.PUMP_NOT_IN_FILLING_PROCESS)
                return _done(pump.stop())
            case p.PumpSuspend() | p.PumpResume():
                if pump.sale is None:
                    return Refusal.of(Code.PUMP_NOT_IN_FILLING_PROCESS)
                return _done(pump.suspend() if isinstance(question, p.PumpSuspend) else pump.resume())
            case p.PumpCloseTransaction(transaction=wanted):
                return self._close(place, wanted)
            case p.PumpLock() | p.PumpUnlock():
                place.locked = isinstance(question, p.PumpLock)
                return Done()
            case p.PumpSetPrices(prices=prices):
                known = {n: price_e3(price, "Prices") for n, price in enumerate(prices, 1) if n in pump.nozzles}
                return _done(pump.set_prices({n: price for n, price in known.items() if price}))
            case p.PumpGetPrices():
                prices = [number(pump.prices_e3.get(n, 0), PRICE_PLACES, 2) for n in range(1, p.NOZZLE_MAX + 1)]
                return self._later(place, p.PumpPrices(pump=place.number, prices=prices))
            case p.PumpGetTotals(nozzle=nozzle):
                if nozzle not in pump.nozzles:
                    return Refusal.of(Code.NOZZLE_NUMBER_OUT_OF_RANGE)
                total = pump.total(nozzle)
                money = None if total.amount_fen is None else _yuan(total.amount_fen)
                volume = number(total.volume_ml, LITRE_PLACES, LITRE_PLACES)
                return self._later(place, p.PumpTotals(pump=place.number, nozzle=nozzle, volume=volume, amount=money))
        return Refusal.of(Code.NOT_FOUND)

    def _later(self, place: Place, result: p.Packet) -> Answer:
        """Take the question; the result comes in place of a status. A head without power gives none."""
        if place.bay.pump.sale is not None:
            return Refusal.of(Code.PUMP_BUSY_FILLING)
        if place.due:
            return Refusal.of(Code.PUMP_BUSY_OTHER_REQUEST_EXECUTED)
        if place.bay.pump.powered:
            place.due.append(result)
        return Done()

    def _status(self, place: Place) -> p.Packet:
        if place.due:
            return place.due.pop(0)
        before, place.shown = place.shown, self._seen(place)
        if before is not None and place.bay.faults.take(PumpFaultKind.STALE):
            place.shown = before
        return place.shown

    def _seen(self, place: Place) -> p.Packet:
        pump, at, current = place.bay.pump, place.number, place.current
        if not pump.powered or pump.phase is Phase.SWITCHED_OFF:
            return p.PumpOfflineStatus(pump=at)
        if current is not None and current.record is not None and not current.closed:
            record = current.record
            return p.PumpEndOfTransactionStatus(
                pump=at,
                nozzle=record.nozzle,
                volume=record.volume,
                amount=record.amount,
                transaction=record.transaction,
                price=record.price,
                total_volume=record.total_volume,
                date_time=record.date_time,
            )
        if current is not None and pump.sale is current.sale and current.sale.nozzle is not None:
            amount = _yuan(pump.shown_fen)
            return p.PumpFillingStatus(
                pump=at,
                nozzle=current.sale.nozzle,
                volume=amount if self.money_in_volume else _litres(pump.shown_ml),
                price=_price(current.sale.price_e3),
                amount=_yuan(_times(pump.shown_fen, current.sale.price_e3)) if self.money_in_volume else amount,
                transaction=current.number,
                is_suspended=pump.phase is Phase.SUSPENDED,
                ordered_type=current.order.type,
                ordered_dose=current.order.dose,
            )
        waits = current is not None and pump.sale is current.sale
        request = p.LOCKED if place.locked else p.AUTHORIZING if waits and self.tells_order else ""
        out, last = pump.out or 0, place.last
        if last is None:
            return p.PumpIdleStatus(pump=at, nozzle_up=out, nozzle=out, request=request, last_transaction=0)
        return p.PumpIdleStatus(
            pump=at,
            nozzle_up=out,
            nozzle=out,
            request=request,
            last_nozzle=last.nozzle,
            last_volume=last.volume,
            last_price=last.price,
            last_amount=last.amount,
            last_transaction=last.transaction,
            last_date_time=last.date_time,
        )

    def _information(self, place: Place, wanted: int | None) -> Answer:
        if wanted is None:
            if self.needs_number:
                return Refusal.of(Code.COULD_NOT_GET_TRANSACTION_NUMBER)
            wanted = place.current.number if place.current else place.last.transaction if place.last else 0
        known = self._known.get((place.number, wanted))
        if known is None:
            state = p.TransactionState.NOT_FOUND
            return p.PumpTransactionInformation(pump=place.number, transaction=wanted, state=state)
        if known.record is None:
            flowing = place.bay.pump.phase in (Phase.DELIVERING, Phase.SUSPENDED, Phase.REACHED)
            waits = p.TransactionState.WAITING_NOZZLE_UP if known.sale.nozzle is None else p.TransactionState.AUTHORIZED
            state = p.TransactionState.FILLING if flowing else waits
            return p.PumpTransactionInformation(pump=place.number, transaction=wanted, state=state)
        state = p.TransactionState.FINISHED if known.closed else p.TransactionState.END_OF_TRANSACTION
        return p.PumpTransactionInformation(
            pump=place.number,
            transaction=wanted,
            state=state,
            nozzle=known.record.nozzle,
            volume=known.record.volume,
            price=known.record.price,
            amount=known.record.amount,
            date_time=known.record.date_time,
        )

    def _authorize(self, place: Place, order: p.PumpAuthorize) -> Answer:
        pump = place.bay.pump
        nozzles = order.nozzles or ([order.nozzle] if order.nozzle is not None else list(pump.nozzles))
        if not set(nozzles) <= pump.nozzles.keys():
            return Refusal.of(Code.NOZZLE_NUMBER_OUT_OF_RANGE)
        if place.locked or (place.current is not None and not place.current.closed):
            busy = (
                Code.DUPLICATED_AUTHORIZATION_REQUEST
                if pump.sale is not None
                else Code.PUMP_BUSY_OTHER_REQUEST_EXECUTED
            )
            return Refusal.of(busy)
        if order.type != "FullTank" and order.dose is None:
            return Refusal.of(Code.COULD_NOT_GET_DOSE_VALUE)
        if order.price is not None and pump.powered:
            pump.set_prices(dict.fromkeys(nozzles, price_e3(order.price, "Price")))
        preset = Preset()
        if order.dose is not None and order.type == "Amount":
            preset = Preset("amount", fen(order.dose, "Dose"))
        elif order.dose is not None and order.type == "Volume":
            preset = Preset("volume", ml(order.dose, "Dose"))
        if (no := pump.authorise(preset, nozzles)) is not None:
            return Refusal.of(_REFUSALS[no])
        assert pump.sale is not None
        taken = self._next[place.number]
        self._next[place.number] = taken % p.TRANSACTION_MAX + 1
        place.current = Transaction(taken, pump.sale, order, self._now())
        self._known[place.number, taken] = place.current
        return p.PumpAuthorizeConfirmation(pump=place.number, transaction=taken)

    def _close(self, place: Place, wanted: int) -> Answer:
        current = place.current
        if current is None or current.record is None or current.closed:
            return Refusal.of(Code.PUMP_STATUS_NOT_END_OF_TRANSACTION)
        if current.number != wanted:
            return Refusal.of(Code.TRANSACTION_NUMBER_NOT_MATCH)
        current.closed = True
        place.bay.pump.close()
        return Done()

    def _look(self, place: Place) -> None:
        """Has the head ended the sale? Then write it down; what sold nothing is forgotten."""
        current, pump = place.current, place.bay.pump
        if current is None:
            if pump.powered and pump.phase is Phase.ENDED:
                pump.close()
            return
        if current.record is not None or pump.sale is current.sale or not pump.powered:
            return
        sale = current.sale
        if sale.ul == 0 or sale.nozzle is None or (pump.memory is not sale and sale.ended_by is EndedBy.POWER):
            del self._known[place.number, current.number]
            place.current = None
            pump.close()
            return
        current.record = place.last = p.PumpTransactionRecord(
            pump=place.number,
            nozzle=sale.nozzle,
            transaction=current.number,
            volume=_litres(pump.volume_ml(sale)),
            price=_price(sale.price_e3),
            amount=_yuan(pump.amount_fen(sale)),
            total_volume=_litres(pump.total(sale.nozzle).volume_ml),
            date_time_start=current.started_at,
            date_time=self._now(),
        )
        self.card.append(current.record)
        if current.order.auto_close_transaction or place.bay.faults.take(PumpFaultKind.MISSED_END):
            current.closed = True
            pump.close()

    def _now(self) -> str:
        now_ms = max((place.bay.pump.now_ms for place in self.places.values()), default=0)
        return (START + timedelta(milliseconds=now_ms)).isoformat(timespec="seconds")


def _done(no: No | None) -> Answer:
    return Done() if no is None else Refusal.of(_REFUSALS[no])


def _litres(volume_ml: int) -> Decimal:
    return number(volume_ml, LITRE_PLACES, LITRE_PLACES)


def _yuan(amount_fen: int) -> Decimal:
    return number(amount_fen, YUAN_PLACES, YUAN_PLACES)


def _price(price: int | None) -> Decimal:
    return number(price or 0, PRICE_PLACES, PRICE_PLACES)


def _times(amount_fen: int, price: int | None) -> int:
    """The amount taken for litres, in fen at this price."""
    return amount_fen * (price or 0) // 10**PRICE_PLACES
