"""What do the packets of jsonPTS carry? Names are those on the wire: a struct's name is the packet's `Type`.

Fields that nothing here asks about are left out, and tolerated on the wire. Whatever a controller may leave out is
None. Litres, yuan and yuan per litre are decimals as they stand in the text; `jsonpts_numbers` makes them whole.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec

PUMP_MAX: Final = 100  # a controller's logical pumps
NOZZLE_MAX: Final = 6
TRANSACTION_MAX: Final = 65_535  # then it begins again at 1

PumpNumber = Annotated[int, msgspec.Meta(ge=1, le=PUMP_MAX)]
AnyPump = Annotated[int, msgspec.Meta(ge=0, le=PUMP_MAX)]  # 0: all
NozzleNumber = Annotated[int, msgspec.Meta(ge=1, le=NOZZLE_MAX)]
NozzleOrNone = Annotated[int, msgspec.Meta(ge=0, le=NOZZLE_MAX)]  # 0: none
TransactionNumber = Annotated[int, msgspec.Meta(ge=0, le=TRANSACTION_MAX)]  # 0: none
Text = Annotated[str, msgspec.Meta(max_length=256)]
Decimals = Annotated[int, msgspec.Meta(ge=0, le=5)]


class Packet(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """The `Data` of a packet."""


class OfPump(Packet, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """A packet about one pump."""

    pump: PumpNumber


# What a host asks.


class PumpGetStatus(OfPump, frozen=True): ...


class PumpAuthorize(OfPump, frozen=True, kw_only=True):
    """Exactly one of nozzle, nozzles, fuel_grade_id and fuel_grade_ids. dose: litres or yuan; None with FullTank.

    transaction: None: the controller takes the next one. auto_close_transaction False: the end of the sale stands until
    PumpCloseTransaction.
    """

    type: Literal["Volume", "Amount", "FullTank"]
    nozzle: NozzleNumber | None = None
    nozzles: list[NozzleNumber] | None = None
    fuel_grade_id: int | None = None
    fuel_grade_ids: list[int] | None = None
    dose: Decimal | None = None
    price: Decimal | None = None
    transaction: TransactionNumber | None = None
    auto_close_transaction: bool | None = None
    tag: Text | None = None


class PumpStop(OfPump, frozen=True): ...


class PumpEmergencyStop(Packet, frozen=True, kw_only=True):
    """pump 0: all of them."""

    pump: AnyPump


class PumpSuspend(OfPump, frozen=True): ...


class PumpResume(OfPump, frozen=True): ...


class PumpLock(OfPump, frozen=True): ...


class PumpUnlock(OfPump, frozen=True): ...


class PumpCloseTransaction(OfPump, frozen=True, kw_only=True):
    transaction: TransactionNumber


class PumpSetPrices(OfPump, frozen=True, kw_only=True):
    """prices: of nozzles 1..=6; 0: the pump has no such nozzle."""

    prices: Annotated[list[Decimal], msgspec.Meta(min_length=1, max_length=NOZZLE_MAX)]


class PumpGetPrices(OfPump, frozen=True): ...


class PumpGetTotals(OfPump, frozen=True, kw_only=True):
    nozzle: NozzleNumber


class PumpGetTag(OfPump, frozen=True, kw_only=True):
    nozzle: NozzleNumber


class PumpGetDisplayData(OfPump, frozen=True): ...


class PumpGetTransactionInformation(OfPump, frozen=True, kw_only=True):
    """transaction: None: the pump's last."""

    transaction: TransactionNumber | None = None


class ReportGetPumpTransactions(Packet, frozen=True, kw_only=True):
    """From the controller's memory card. pump 0: all. Instants are the controller's local ones."""

    pump: AnyPump
    date_time_start: Text
    date_time_end: Text


class GetDateTime(Packet, frozen=True): ...


class GetUniqueIdentifier(Packet, frozen=True): ...


class GetConfigurationIdentifier(Packet, frozen=True): ...


class GetSystemDecimalDigits(Packet, frozen=True): ...


class GetPumpsConfiguration(Packet, frozen=True): ...


class GetPumpNozzlesConfiguration(Packet, frozen=True): ...


# What a controller says.


class PumpIdleStatus(OfPump, frozen=True, kw_only=True):
    """Nothing flows, and no sale waits to be closed. request: what is being done with the pump; "" for nothing.

    nozzle_up, nozzle: both say which nozzle is out, 0 for none; older firmware has only the first.
    """

    nozzle_up: NozzleOrNone | None = None
    nozzle: NozzleOrNone | None = None
    request: Text | None = None
    transaction: TransactionNumber | None = None
    last_nozzle: NozzleOrNone | None = None
    last_volume: Decimal | None = None
    last_price: Decimal | None = None
    last_amount: Decimal | None = None
    last_transaction: TransactionNumber | None = None
    last_total_volume: Decimal | None = None
    last_total_amount: Decimal | None = None
    last_date_time_start: Text | None = None
    last_date_time: Text | None = None


class PumpFillingStatus(OfPump, frozen=True, kw_only=True):
    """Volume and amount are the display's, for showing only: some pumps' volume carries money here."""

    nozzle: NozzleOrNone | None = None
    volume: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    transaction: TransactionNumber | None = None
    date_time_start: Text | None = None
    is_suspended: bool | None = None
    ordered_type: Text | None = None
    ordered_dose: Decimal | None = None


class PumpEndOfTransactionStatus(OfPump, frozen=True, kw_only=True):
    """The sale as it is to be billed. It stands until PumpCloseTransaction."""

    nozzle: NozzleOrNone
    volume: Decimal
    amount: Decimal
    transaction: TransactionNumber
    price: Decimal | None = None
    total_volume: Decimal | None = None
    total_amount: Decimal | None = None
    date_time_start: Text | None = None
    date_time: Text | None = None


class PumpOfflineStatus(OfPump, frozen=True):
    """The controller does not hear the pump."""


class PumpTotals(OfPump, frozen=True, kw_only=True):
    nozzle: NozzleNumber
    volume: Decimal
    amount: Decimal | None = None


class PumpPrices(OfPump, frozen=True, kw_only=True):
    """prices: of nozzles 1, 2, ...; 0: there is no such nozzle."""

    prices: Annotated[list[Decimal], msgspec.Meta(max_length=NOZZLE_MAX)]


class PumpTag(OfPump, frozen=True, kw_only=True):
    nozzle: NozzleOrNone | None = None
    tag: Text | None = None


class PumpDisplayData(OfPump, frozen=True, kw_only=True):
    volume: Decimal | None = None
    amount: Decimal | None = None


class PumpAuthorizeConfirmation(OfPump, frozen=True, kw_only=True):
    """transaction: the number of the sale, whose first state stands in PumpTransactionInformation."""

    transaction: TransactionNumber | None = None


class PumpTransactionInformation(OfPump, frozen=True, kw_only=True):
    """state: one of TransactionState, as text because newer firmware may have more."""

    transaction: TransactionNumber
    state: Text | None = None
    nozzle: NozzleOrNone | None = None
    volume: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    total_volume: Decimal | None = None
    total_amount: Decimal | None = None
    date_time_start: Text | None = None
    date_time: Text | None = None


class PumpTransactionRecord(OfPump, frozen=True, kw_only=True):
    """One line of ReportPumpTransactions."""

    nozzle: NozzleOrNone
    transaction: TransactionNumber
    volume: Decimal
    price: Decimal
    amount: Decimal
    date_time: Text
    date_time_start: Text | None = None
    total_volume: Decimal | None = None
    total_amount: Decimal | None = None


class UploadPumpTransaction(PumpTransactionRecord, frozen=True, kw_only=True):
    """Pushed by the controller after each sale, until it is answered OK. is_offline: sold without a host."""

    is_offline: bool | None = None
    configuration_id: Text | None = None


class DateTime(Packet, frozen=True, kw_only=True):
    date_time: Text


class UniqueIdentifier(Packet, frozen=True, kw_only=True):
    id: Text


class ConfigurationIdentifier(Packet, frozen=True, kw_only=True):
    id: Text


class SystemDecimalDigits(Packet, frozen=True, kw_only=True):
    price: Decimals
    amount: Decimals
    volume: Decimals
    amount_total: Decimals | None = None
    volume_total: Decimals | None = None


class PumpPort(Packet, frozen=True, kw_only=True):
    id: int
    port: int | None = None
    address: int | None = None


class PumpsConfiguration(Packet, frozen=True, kw_only=True):
    pumps: list[PumpPort] = []


class PumpNozzles(Packet, frozen=True, kw_only=True):
    pump_id: int
    fuel_grade_ids: list[int] = []


class PumpNozzlesConfiguration(Packet, frozen=True, kw_only=True):
    pump_nozzles: list[PumpNozzles] = []


class TransactionState:
    """What PumpTransactionInformation calls the states of a sale."""

    WAITING_NOZZLE_UP: Final = "WaitingNozzleUpForAuthorization"
    AUTHORIZED: Final = "Authorized"
    FILLING: Final = "Filling"
    END_OF_TRANSACTION: Final = "EndOfTransaction"
    FINISHED: Final = "Finished"
    NOT_FOUND: Final = "Not found"  # no such number, or nothing was dispensed


LOCKED: Final = "PumpLock"  # PumpIdleStatus.request of a pump that is locked
AUTHORIZING: Final = "PumpAuthorize"  # of one that waits with an order

REPORT: Final = "ReportPumpTransactions"  # the one packet whose Data is a list, of PumpTransactionRecord

STATUSES: Final = (PumpIdleStatus, PumpFillingStatus, PumpEndOfTransactionStatus, PumpOfflineStatus)
ARRIVALS: Final = (PumpTotals, PumpPrices, PumpTag, PumpDisplayData)
"""Results of earlier questions. They come instead of a status, once."""

ANSWERS: Final[dict[type[Packet], tuple[type[Packet], ...]]] = {
    PumpGetStatus: (*STATUSES, *ARRIVALS),
    PumpAuthorize: (PumpAuthorizeConfirmation,),
    PumpGetTransactionInformation: (PumpTransactionInformation,),
    ReportGetPumpTransactions: (PumpTransactionRecord,),
    GetDateTime: (DateTime,),
    GetUniqueIdentifier: (UniqueIdentifier,),
    GetConfigurationIdentifier: (ConfigurationIdentifier,),
    GetSystemDecimalDigits: (SystemDecimalDigits,),
    GetPumpsConfiguration: (PumpsConfiguration,),
    GetPumpNozzlesConfiguration: (PumpNozzlesConfiguration,),
}
"""What may answer which question. Every other question is answered by an OK, whatever it is called."""

QUESTIONS: Final[tuple[type[Packet], ...]] = (
    *ANSWERS,
    PumpStop,
    PumpEmergencyStop,
    PumpSuspend,
    PumpResume,
    PumpLock,
    PumpUnlock,
    PumpCloseTransaction,
    PumpSetPrices,
    PumpGetPrices,
    PumpGetTotals,
    PumpGetTag,
    PumpGetDisplayData,
    UploadPumpTransaction,
)
"""All that a host, or with UploadPumpTransaction a controller, may ask."""
