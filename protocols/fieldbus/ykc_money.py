"""YKC 1.6: what does a charge cost, and is a pile's own bill true to itself and to the prices it was given?

Both prices and bills have four parts: sharp (尖), peak (峰), flat (平), valley (谷). What is charged for is the energy
with the model's loss share added. (facts: chargers_meters 6.2, 6.4.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, IntEnum
from typing import Annotated, Final

from protocols.fieldbus.ykc_fields import (
    AmountE2,
    Card,
    Choice,
    EnergyDwh,
    Flag,
    Gun,
    Hex,
    Layout,
    Moment,
    Order,
    Part,
    Pile,
    PriceE3,
    Raw,
    Times,
    Uint,
    Unreadable,
    Vin,
)

HALF_HOURS: Final = 48


class Slot(IntEnum):
    """The number of a part, in prices and in bills."""

    SHARP = 0
    PEAK = 1
    FLAT = 2
    VALLEY = 3


@dataclass(frozen=True, slots=True)
class Price:
    """Per kWh, of the energy and of the service."""

    energy_price_e3: PriceE3
    service_price_e3: PriceE3

    @property
    def price_e3(self) -> int:
        """Both: what stands in a bill."""
        return self.energy_price_e3 + self.service_price_e3


Model = Annotated[str, Hex(2)]
"""Four digits."""


@dataclass(frozen=True, slots=True)
class PriceModel:
    """prices: by `Slot`. loss_pct: added to the energy. half_hours: the slot of each, from midnight on."""

    model: Model
    prices: Annotated[tuple[Price, ...], Times(4, Part(Price))]
    loss_pct: Annotated[int, Uint(1)]
    half_hours: Annotated[tuple[int, ...], Times(HALF_HOURS, Choice(Slot))]


@dataclass(frozen=True, slots=True)
class PriceCheck:
    """0x05. Without a model a pile may not charge."""

    pile: Pile
    model: Model


@dataclass(frozen=True, slots=True)
class PriceCheckAnswer:
    """0x06."""

    pile: Pile
    model: Model
    same: Annotated[bool, Flag(yes=0)]


@dataclass(frozen=True, slots=True)
class PriceRequest:
    """0x09."""

    pile: Pile


@dataclass(frozen=True, slots=True)
class PriceAnswer:
    """0x0A."""

    pile: Pile
    prices: Annotated[PriceModel, Part(PriceModel)]


@dataclass(frozen=True, slots=True)
class SetPrices:
    """0x58."""

    pile: Pile
    prices: Annotated[PriceModel, Part(PriceModel)]


@dataclass(frozen=True, slots=True)
class SetPricesAnswer:
    """0x57."""

    pile: Pile
    done: Annotated[bool, Flag(yes=1)]


@dataclass(frozen=True, slots=True)
class BillPart:
    """price_e3: energy and service, per kWh."""

    price_e3: PriceE3
    energy_dwh: EnergyDwh
    energy_loss_dwh: EnergyDwh
    amount_e2: AmountE2


class StartedBy(IntEnum):
    APP = 1
    CARD = 2
    OFFLINE_CARD = 4
    VIN = 5


MeterDwh = Annotated[int, Uint(5)]


@dataclass(frozen=True, slots=True)
class Bill:
    """0x3B. A charge that did not start has one too. It comes again until its answer, and may come when long settled.

    parts: by `Slot`. meter_*: the pile's own totalizer. vin: the right way round. stop_reason: see `why`. times: of the
    pile's clock; None where it had none.
    """

    order: Order
    pile: Pile
    gun: Gun
    started_at: Annotated[datetime | None, Moment()]
    ended_at: Annotated[datetime | None, Moment()]
    parts: Annotated[tuple[BillPart, ...], Times(4, Part(BillPart))]
    meter_start_dwh: MeterDwh
    meter_end_dwh: MeterDwh
    energy_dwh: EnergyDwh
    energy_loss_dwh: EnergyDwh
    amount_e2: AmountE2
    vin: Vin
    started_by: Annotated[int, Choice(StartedBy)]
    billed_at: Annotated[datetime | None, Moment()]
    stop_reason: Annotated[int, Uint(1)]
    card: Card


@dataclass(frozen=True, slots=True)
class BillAnswer:
    """0x40. Stored means that the platform has it: the pile deletes it. It is not yet settled."""

    order: Order
    stored: Annotated[bool, Flag(yes=0)]


@dataclass(frozen=True, slots=True)
class MeterSeal:
    """What 1.7 adds to a bill: the meter's number and what it has signed or enciphered, not looked into here."""

    meter: Annotated[str, Hex(6)]
    cipher: Annotated[bytes, Raw(34)]
    version: Annotated[str, Hex(2)]
    encryption: Annotated[int, Uint(1)]


@dataclass(frozen=True, slots=True)
class SealedBill:
    """0x3D, of 1.7 only: a bill with the seal behind the time of its end."""

    bill: Bill
    seal: MeterSeal


class SealedBillLayout:
    """Reads and writes a `SealedBill`; as a `ykc_fields.Layout`."""

    _BEFORE: Final = 38  # order, pile, gun, two times
    _bill: Final = Layout(Bill)
    _seal: Final = Layout(MeterSeal)

    def read(self, data: bytes) -> SealedBill:
        """Raises Unreadable for a body of the wrong length."""
        end = self._BEFORE + self._seal.size_min
        if len(data) < end:
            raise Unreadable
        return SealedBill(self._bill.read(data[: self._BEFORE] + data[end:]), self._seal.read(data[self._BEFORE : end]))

    def write(self, message: SealedBill) -> bytes:
        """Raises ValueError for a value that has no place."""
        bill = self._bill.write(message.bill)
        return bill[: self._BEFORE] + self._seal.write(message.seal) + bill[self._BEFORE :]


class Fault(Enum):
    """What is not right with a bill. None of them is a reason not to store it."""

    METER_BACK = "the meter ended below its start"
    METER = "the energy is not what the meter counted"
    ENERGY = "the parts are not the energy"
    ENERGY_LOSS = "the parts are not the energy that is charged for"
    AMOUNT = "the parts are not the amount"
    PART_AMOUNT = "a part's amount is not its price times its energy"
    PRICE = "a price is not the model's"
    LOSS = "the loss added is not the model's"
    TIMES = "it ended before it began, or at no time"


def faults(bill: Bill, model: PriceModel | None = None) -> tuple[Fault, ...]:
    """Everything that contradicts itself, or `model` where one is given. No source says how a pile rounds a part's
    amount or its loss: each may be off by less than one of its last digits. A price counts only where energy flowed."""
    parts = bill.parts
    counted = bill.meter_end_dwh - bill.meter_start_dwh
    used = [(part, price) for part, price in zip(parts, model.prices, strict=True) if part.energy_dwh] if model else []
    found = {
        Fault.METER_BACK: counted < 0,
        Fault.METER: counted >= 0 and counted != bill.energy_dwh,
        Fault.ENERGY: sum(part.energy_dwh for part in parts) != bill.energy_dwh,
        Fault.ENERGY_LOSS: sum(part.energy_loss_dwh for part in parts) != bill.energy_loss_dwh,
        Fault.AMOUNT: sum(part.amount_e2 for part in parts) != bill.amount_e2,
        Fault.PART_AMOUNT: any(_off(part.amount_e2, part.price_e3 * part.energy_loss_dwh, 10**5) for part in parts),
        Fault.PRICE: any(part.price_e3 != price.price_e3 for part, price in used),
        Fault.LOSS: model is not None
        and any(_off(part.energy_loss_dwh, part.energy_dwh * (100 + model.loss_pct), 100) for part in parts),
        Fault.TIMES: bill.started_at is None or bill.ended_at is None or bill.ended_at < bill.started_at,
    }
    return tuple(fault for fault, is_so in found.items() if is_so)


def _off(stated: int, exact: int, unit: int) -> bool:
    """Whether `stated` is not exact / unit, however rounded."""
    return abs(stated * unit - exact) >= unit


class Ending(Enum):
    """What kind of end a stop reason is."""

    DONE = "as wanted"
    NOT_STARTED = "it did not start"
    ABORTED = "broken off"
    UNKNOWN = "unknown"


def ending(stop_reason: int) -> Ending:
    """By the document's ranges, so that reserved numbers have one too."""
    if 0x40 <= stop_reason <= 0x49:
        return Ending.DONE
    if 0x4A <= stop_reason <= 0x69:
        return Ending.NOT_STARTED
    return Ending.ABORTED if 0x6A <= stop_reason <= 0x8F else Ending.UNKNOWN


def why(stop_reason: int) -> str:
    """In words; of one that no source names, its number."""
    return STOP_REASONS.get(stop_reason, f"reason {stop_reason:02X}")


STOP_REASONS: Final = {
    0x40: "stopped by the platform", 0x41: "battery full", 0x42: "energy reached", 0x43: "amount reached",
    0x44: "time reached", 0x45: "stopped by hand",
    0x4A: "pile's controller", 0x4B: "control pilot open", 0x4C: "breaker open", 0x4D: "meter silent",
    0x4E: "balance too low", 0x4F: "charging module", 0x50: "emergency stop", 0x51: "surge protector",
    0x52: "BMS not ready", 0x53: "temperature", 0x54: "battery reversed", 0x55: "electronic lock",
    0x56: "contactor did not close", 0x57: "insulation", 0x59: "no BHM from the BMS", 0x5A: "no BRM from the BMS",
    0x5B: "no BCP from the BMS", 0x5C: "no BRO from the BMS", 0x5D: "no BCS from the BMS", 0x5E: "no BCL from the BMS",
    0x5F: "no BSM from the BMS", 0x60: "battery has voltage at the handshake", 0x61: "battery's voltage not as told",
    0x62: "BMS no longer ready", 0x63: "no configuration from the host", 0x64: "charger not ready",
    0x6A: "system locked", 0x6B: "control pilot open", 0x6C: "breaker open", 0x6D: "meter silent",
    0x6E: "balance too low", 0x6F: "AC protection", 0x70: "DC protection", 0x71: "charging module",
    0x72: "emergency stop", 0x73: "surge protector", 0x74: "temperature", 0x75: "output", 0x76: "no current",
    0x77: "electronic lock", 0x79: "charging voltage", 0x7A: "charging current", 0x7B: "cell voltage",
    0x7C: "battery too hot", 0x7D: "highest cell voltage", 0x7E: "hottest battery", 0x7F: "cell voltage, by BMV",
    0x80: "battery too hot, by BMT", 0x81: "battery's state", 0x82: "vehicle forbids", 0x83: "pile lost power",
    0x84: "no BCS from the BMS", 0x85: "no BCL from the BMS", 0x86: "no BSM from the BMS", 0x87: "no BST from the BMS",
    0x88: "no BSD from the BMS", 0x89: "no CCS from the other side", 0x90: "unknown to the pile",
}  # fmt: skip
"""Below 0x6A a charge did not start; from there on it was broken off."""
