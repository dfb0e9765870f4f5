"""What do a PTS-2 controller's packets mean for a pump? Pure: packets in; states, sales and errors out."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

from drivers.errors import DeviceError, DeviceFault, Misconfigured, Transient, Unsupported
from drivers.pump import PumpState, PumpStatus, Sale
from protocols.fieldbus.jsonpts_errors import Code, Malformed, Refusal
from protocols.fieldbus.jsonpts_numbers import fen, ml, price_e3
from protocols.fieldbus.jsonpts_packets import (
    AUTHORIZING,
    LOCKED,
    Packet,
    PumpEndOfTransactionStatus,
    PumpFillingStatus,
    PumpIdleStatus,
    PumpTransactionInformation,
    PumpTransactionRecord,
    TransactionState,
)

Display = Literal["litres", "money", "nothing"]
"""What Volume of PumpFillingStatus carries."""

LIVE_SLACK_FEN: Final = 50  # the display's volume and amount are not read at one instant
LIVE_SLACK_PERCENT: Final = 10
WAITS: Final = (TransactionState.WAITING_NOZZLE_UP, TransactionState.AUTHORIZED)
OVER: Final = (TransactionState.END_OF_TRANSACTION, TransactionState.FINISHED)

_E3_ML_PER_FEN: Final = 1_000_000

_TRANSIENT: Final = frozenset(
    {
        Code.NO_DATA_FOR_RESPONSE,
        Code.POWER_DOWN_DETECTED,
        Code.NO_SD_FOUND,
        Code.SD_NOT_MOUNTED,
        Code.SD_ERROR,
        Code.PUMP_TRANSACTION_NOT_FOUND,
        Code.TRANSACTION_NUMBER_NOT_MATCH,
        Code.DUPLICATED_AUTHORIZATION_REQUEST,
        Code.PUMP_BUSY_OTHER_USER,
        Code.PUMP_BUSY_OTHER_REQUEST_EXECUTED,
        Code.PUMP_BUSY_FILLING,
        Code.PUMP_NOT_IN_FILLING_PROCESS,
        Code.PUMP_STATUS_NOT_END_OF_TRANSACTION,
    }
)
_MISCONFIGURED: Final = {
    Code.NO_PERMISSIONS: "Give the controller's user the permissions Monitoring, Control and Reports.",
    Code.USER_NOT_MATCH: "Another user holds this pump: let one system alone control it.",
    Code.PUMP_NUMBER_OUT_OF_RANGE: "Check `address` of the pump: it is the controller's logical pump number.",
    Code.PUMP_IS_NOT_CONFIGURED: "Configure the pump in the controller, or correct `address`.",
    Code.NOZZLE_NUMBER_OUT_OF_RANGE: "Check the numbers in `nozzles` against the controller's pump nozzles.",
    Code.COULD_NOT_GET_NOZZLE_NUMBER: "Check the numbers in `nozzles` against the controller's pump nozzles.",
    Code.COULD_NOT_GET_NOZZLE_NUMBER_FUEL_GRADE_ID: "Check the numbers in `nozzles` against the controller's.",
    Code.COULD_NOT_GET_PRICE_VALUE: "Set prices before selling: the controller has none for this nozzle.",
    Code.INCORRECT_PUMPS_CONFIGURATION: "Check the pumps' configuration in the controller.",
}


def refused(refusal: Refusal, what: str, where: str) -> DeviceError:
    """The error for a refusal, by what is to be done next. A code that nobody knows is a fault."""
    text = f"the controller refuses {what}: {refusal}"
    code = refusal.known
    if code in _TRANSIENT:
        return Transient(text, where=where)
    if code in _MISCONFIGURED:
        return Misconfigured(text, where=where, remedy=_MISCONFIGURED[code])
    if code is Code.NOT_FOUND:
        return Unsupported(text, where=where, remedy="The controller's firmware does not know it: update it.")
    return DeviceFault(text, where=where)


def number_of(packet: Packet) -> int | None:
    """The sale that a status is about: under way, ended, or ordered; None: none, or it is not told."""
    if isinstance(packet, (PumpFillingStatus, PumpEndOfTransactionStatus, PumpIdleStatus)):
        return packet.transaction or None
    return None


def status(
    packet: Packet, info: PumpTransactionInformation | None, standing: bool, carries: Display = "litres"
) -> PumpStatus:
    """The status in the daemon's words.

    info: what the controller says of the pump's newest sale, from the same envelope. standing: we have told the pump
    to stop, and nothing has flowed since. carries: what a filling status's Volume is. Raises Malformed.
    """
    if isinstance(packet, PumpEndOfTransactionStatus):
        return PumpStatus(
            PumpState.ENDED,
            "PumpEndOfTransactionStatus",
            nozzle=packet.nozzle or None,
            volume_ml=ml(packet.volume, "Volume"),
            amount_fen=fen(packet.amount, "Amount"),
            price_e3=_price(packet.price),
        )
    if isinstance(packet, PumpFillingStatus):
        return _filling(packet, standing, carries)
    if isinstance(packet, PumpIdleStatus):
        return _idle(packet, info)
    return PumpStatus(PumpState.OUT, type(packet).__name__)


def _filling(packet: PumpFillingStatus, standing: bool, carries: Display) -> PumpStatus:
    volume_ml, amount_fen = _display(packet, carries)
    flowed = bool(packet.volume or packet.amount)
    if standing or _reached(packet, volume_ml, amount_fen):
        state = PumpState.REACHED
    elif packet.is_suspended:
        state = PumpState.SUSPENDED
    else:
        state = PumpState.DELIVERING if flowed else PumpState.AUTHORISED
    nozzle = packet.nozzle or None
    return PumpStatus(state, "PumpFillingStatus", nozzle, True, volume_ml, amount_fen, _price(packet.price))


def _display(packet: PumpFillingStatus, carries: Display) -> tuple[int | None, int | None]:
    """Volume in mL and amount in fen, as far as they can be believed: volume times price must be near the amount."""
    try:
        if carries == "money":
            return None, None if packet.volume is None else fen(packet.volume, "Volume")
        volume_ml = None if packet.volume is None else ml(packet.volume, "Volume")
        amount_fen = None if packet.amount is None else fen(packet.amount, "Amount")
        price = _price(packet.price)
    except Malformed:
        return None, None
    if carries == "nothing" or volume_ml is None or amount_fen is None or not price:
        return None, None
    wanted = volume_ml * price // _E3_ML_PER_FEN
    slack = LIVE_SLACK_FEN + max(wanted, amount_fen) * LIVE_SLACK_PERCENT // 100
    return (volume_ml, amount_fen) if abs(wanted - amount_fen) <= slack else (None, None)


def _reached(packet: PumpFillingStatus, volume_ml: int | None, amount_fen: int | None) -> bool:
    dose = packet.ordered_dose
    if not dose:
        return False
    if packet.ordered_type == "Amount":
        return amount_fen is not None and amount_fen >= fen(dose, "OrderedDose")
    return packet.ordered_type == "Volume" and volume_ml is not None and volume_ml >= ml(dose, "OrderedDose")


def _idle(packet: PumpIdleStatus, info: PumpTransactionInformation | None) -> PumpStatus:
    told = packet.nozzle if packet.nozzle is not None else packet.nozzle_up
    nozzle, nozzle_out = told or None, None if told is None else told > 0
    if packet.request == LOCKED:
        return PumpStatus(PumpState.OUT, LOCKED, nozzle, nozzle_out)
    newest = None if info is None else info.state
    if newest == TransactionState.END_OF_TRANSACTION and info is not None:
        sale = sale_of_info(info)
        volume_ml, amount_fen = (None, None) if sale is None else (sale.volume_ml, sale.amount_fen)
        return PumpStatus(PumpState.ENDED, newest, nozzle, nozzle_out, volume_ml, amount_fen)
    if newest == TransactionState.FILLING:
        return PumpStatus(PumpState.DELIVERING, newest, nozzle, nozzle_out)
    ordered = packet.transaction not in (None, 0, packet.last_transaction) and info is None
    if packet.request == AUTHORIZING or ordered or newest in WAITS:
        reason = newest if newest in WAITS and newest is not None else packet.request or AUTHORIZING
        return PumpStatus(PumpState.AUTHORISED, reason, nozzle, nozzle_out)
    state = PumpState.CALLING if nozzle_out else PumpState.IDLE
    return PumpStatus(state, packet.request or "PumpIdleStatus", nozzle, nozzle_out)


# Sales. Each raises Malformed for numbers that are none.


def sale_of_end(packet: PumpEndOfTransactionStatus) -> Sale:
    return _sale(packet.nozzle, packet.volume, packet.amount, packet.price, packet.transaction)


def sale_of_idle(packet: PumpIdleStatus) -> Sale | None:
    """The one that the idle pump shows; None: it shows none."""
    if not packet.last_transaction or packet.last_volume is None or packet.last_amount is None:
        return None
    return _sale(packet.last_nozzle, packet.last_volume, packet.last_amount, packet.last_price, packet.last_transaction)


def sale_of_info(info: PumpTransactionInformation) -> Sale | None:
    """The one that is over; None: it is not, or there is none of this number."""
    if info.state not in OVER or info.volume is None or info.amount is None:
        return None
    return _sale(info.nozzle, info.volume, info.amount, info.price, info.transaction)


def sale_of_record(record: PumpTransactionRecord) -> Sale:
    return _sale(record.nozzle, record.volume, record.amount, record.price, record.transaction)


def _sale(nozzle: int | None, volume: Decimal, amount: Decimal, price: Decimal | None, number: int) -> Sale:
    return Sale(nozzle or None, ml(volume, "Volume"), fen(amount, "Amount"), _price(price), number or None)


def _price(price: Decimal | None) -> int | None:
    """None and 0 both: not told."""
    return None if price is None else price_e3(price, "Price") or None
