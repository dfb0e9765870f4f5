"""YKC 1.6: bills, as they travel and as they add up."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from pymodbus.framer import FramerRTU

from protocols.fieldbus.ykc import Connection, End, Heard, order_number
from protocols.fieldbus.ykc_money import (
    Bill,
    BillPart,
    Ending,
    Fault,
    MeterSeal,
    Price,
    PriceModel,
    SealedBill,
    StartedBy,
    ending,
    faults,
    why,
)

PILE = "32010200000001"
ORDER = order_number(PILE, 1, datetime(2026, 11, 21, 10, 30), 1)
PRICES = (Price(100_000, 30_000), Price(90_000, 30_000), Price(60_000, 30_000), Price(30_000, 30_000))
MODEL = PriceModel("0100", PRICES, 0, (2,) * 48)

# The facts' bill: peak 1.2 x 4.0000 = 4.8000, flat 0.9 x 3.3760 = 3.0384, total 7.3760 kWh and 7.8384.
BILL = Bill(
    order=ORDER, pile=PILE, gun=1,
    started_at=datetime(2026, 11, 21, 10, 30), ended_at=datetime(2026, 11, 21, 11, 45, 30),
    parts=(
        BillPart(130_000, 0, 0, 0),
        BillPart(120_000, 40_000, 40_000, 48_000),
        BillPart(90_000, 33_760, 33_760, 30_384),
        BillPart(60_000, 0, 0, 0),
    ),
    meter_start_dwh=1_234_567_890, meter_end_dwh=1_234_641_650,
    energy_dwh=73_760, energy_loss_dwh=73_760, amount_e2=78_384,
    vin="LSVAA4187E2184321", started_by=StartedBy.APP, billed_at=datetime(2026, 11, 21, 11, 45, 31),
    stop_reason=0x40, card="00000000D14B0A54",
)  # fmt: skip


def _cp56(minute: int, hour: int, milliseconds: int = 0) -> bytes:
    return struct.pack("<HBBBBB", milliseconds, minute, hour, 21, 11, 26)


HEAD = bytes.fromhex(ORDER + PILE + "01") + _cp56(30, 10) + _cp56(45, 11, 30_000)
TAIL = (
    struct.pack("<16I", 130_000, 0, 0, 0, 120_000, 40_000, 40_000, 48_000,
                90_000, 33_760, 33_760, 30_384, 60_000, 0, 0, 0)
    + (1_234_567_890).to_bytes(5, "little") + (1_234_641_650).to_bytes(5, "little")
    + struct.pack("<3I", 73_760, 73_760, 78_384)
    + b"LSVAA4187E2184321" + b"\x01" + _cp56(45, 11, 31_000) + b"\x40" + bytes.fromhex("00000000D14B0A54")
)  # fmt: skip
SEAL = MeterSeal("000000012345", bytes(range(34)), "0100", 1)
SEAL_BYTES = bytes.fromhex("000000012345") + bytes(range(34)) + bytes.fromhex("0100 01")


@pytest.mark.parametrize(
    ("message", "kind", "length", "body"),
    [(BILL, 0x3B, 0xA2, HEAD + TAIL), (SealedBill(BILL, SEAL), 0x3D, 205, HEAD + SEAL_BYTES + TAIL)],
    ids=["1.6", "1.7"],
)
def test_a_bill_as_it_travels(message: Any, kind: int, length: int, body: bytes) -> None:
    """Field by field as another program packs it, with another program's CRC."""
    data = Connection(End.PILE).send(message)
    inside = b"\0\0\0" + bytes((kind,)) + body
    assert data[:2] == bytes((0x68, length))
    assert data[2:-2] == inside
    assert FramerRTU.check_CRC(inside, data[-2] << 8 | data[-1])
    platform = Connection(End.PLATFORM)
    platform.receive_data(data)
    assert platform.next_event() == Heard(0, message)


def test_a_bill_without_a_clock_can_be_read() -> None:
    """A pile that lost its clock still is owed an answer, or it would send the bill for ever."""
    for nonsense in (bytes(7), b"\xff" * 7, struct.pack("<HBBBBB", 60_000, 0, 0, 1, 1, 26)):
        body = HEAD[:24] + nonsense + HEAD[31:] + TAIL
        data = bytearray(Connection(End.PILE).send(BILL))
        data[6:-2] = body
        data[-2:] = FramerRTU.compute_CRC(bytes(data[2:-2])).to_bytes(2, "big")
        platform = Connection(End.PLATFORM)
        platform.receive_data(bytes(data))
        assert platform.next_event() == Heard(0, replace(BILL, started_at=None))
    assert faults(replace(BILL, started_at=None)) == (Fault.TIMES,)


def _flat(**changes: int) -> tuple[BillPart, ...]:
    """The parts with other numbers in the flat one."""
    return (*BILL.parts[:2], replace(BILL.parts[2], **changes), BILL.parts[3])


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, ()),
        ({"meter_end_dwh": 1_234_641_651}, (Fault.METER,)),
        ({"meter_end_dwh": 1_234_567_889}, (Fault.METER_BACK,)),
        ({"energy_dwh": 73_761}, (Fault.METER, Fault.ENERGY)),
        ({"energy_loss_dwh": 73_761}, (Fault.ENERGY_LOSS,)),
        ({"amount_e2": 78_385}, (Fault.AMOUNT,)),
        ({"parts": _flat(amount_e2=30_385)}, (Fault.AMOUNT, Fault.PART_AMOUNT)),
        ({"parts": _flat(price_e3=90_001)}, (Fault.PRICE,)),
        ({"parts": _flat(energy_loss_dwh=33_761), "energy_loss_dwh": 73_761}, (Fault.LOSS,)),
        ({"ended_at": datetime(2026, 11, 21, 10, 29)}, (Fault.TIMES,)),
        ({"ended_at": None}, (Fault.TIMES,)),
    ],
)
def test_what_a_bill_contradicts(changed: dict[str, Any], found: tuple[Fault, ...]) -> None:
    """Itself, or the prices that the pile was given; rounding is no contradiction."""
    assert faults(replace(BILL, **changed), MODEL) == found
    without = {Fault.PRICE, Fault.LOSS}
    assert faults(replace(BILL, **changed)) == tuple(fault for fault in found if fault not in without)


def test_rounding_is_no_fault() -> None:
    """0.3333 kWh at 1.20001 is 0.399963333: 0.3999 and 0.4000 are both right, 0.3998 and 0.4001 are not."""
    for amount_e2, is_right in ((3_998, False), (3_999, True), (4_000, True), (4_001, False)):
        part = BillPart(120_001, 3_333, 3_333, amount_e2)
        none = BillPart(0, 0, 0, 0)
        bill = replace(
            BILL, parts=(part, none, none, none), energy_dwh=3_333, energy_loss_dwh=3_333, amount_e2=amount_e2,
            meter_end_dwh=BILL.meter_start_dwh + 3_333,
        )  # fmt: skip
        assert (faults(bill) == ()) is is_right, amount_e2


def test_loss_is_the_models() -> None:
    """With 3 % the energy that costs is 1.03 of the energy, cut off or rounded."""
    model = replace(MODEL, loss_pct=3)
    for energy_loss_dwh, is_right in ((34_771, False), (34_772, True), (34_773, True), (34_774, False)):
        parts = _flat(energy_loss_dwh=energy_loss_dwh)
        bill = replace(BILL, parts=(*parts[:1], replace(parts[1], energy_loss_dwh=41_200), *parts[2:]))
        assert (Fault.LOSS not in faults(bill, model)) is is_right, energy_loss_dwh


@pytest.mark.parametrize(
    ("reason", "end", "words"),
    [
        (0x40, Ending.DONE, "stopped by the platform"),
        (0x49, Ending.DONE, "reason 49"),
        (0x4A, Ending.NOT_STARTED, "pile's controller"),
        (0x69, Ending.NOT_STARTED, "reason 69"),
        (0x6A, Ending.ABORTED, "system locked"),
        (0x83, Ending.ABORTED, "pile lost power"),
        (0x8F, Ending.ABORTED, "reason 8F"),
        (0x90, Ending.UNKNOWN, "unknown to the pile"),
        (0x00, Ending.UNKNOWN, "reason 00"),
    ],
)
def test_stop_reasons(reason: int, end: Ending, words: str) -> None:
    """Every number has a kind, reserved ones too."""
    assert (ending(reason), why(reason)) == (end, words)
