"""The records of a log: each (kind, version) keeps its bytes for ever."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.trade import records_fleet as fleet
from protocols.trade import records_fuel as fuel
from protocols.trade import records_pack as packs
from protocols.trade import records_port as ports
from protocols.trade.codec import NotCanonical, Wire, decode, encode
from protocols.trade.records import (
    BODIES,
    KINDS,
    AccountActed,
    BillLine,
    ClockMoved,
    ClockQuality,
    ConfigApplied,
    CounterTicked,
    DayClosed,
    Draft,
    EpochClosed,
    EpochMarked,
    EpochOpened,
    GrantAccepted,
    Hold,
    KeyPublished,
    Move,
    Notice,
    Origin,
    Pin,
    Preset,
    Record,
    Register,
    SessionClosed,
    SessionExtended,
    SessionHeld,
    SessionOpened,
    SessionVoided,
    Slice,
    Stamp,
    TechnicianAct,
    TotalizersRead,
    ValueReturned,
    body_of,
    seal,
    session_id,
)

GOLDEN = Path(__file__).parent / "golden_records.txt"

STAMP = Stamp(
    boot=bytes.fromhex("0102030405060708"),
    mono_ms=3_600_000,
    wall_ms=1_777_590_000_000,
    quality=ClockQuality.SYNCHRONISED,
    lb_ms=1_777_589_999_900,
    ub_ms=1_777_590_000_100,
)
UNSURE = msgspec.structs.replace(STAMP, quality=ClockQuality.UNKNOWN, ub_ms=None)
MOVE = Move(effect="used", account="alice", asset="CNY", place="", amount=1501, counter=9_001)
REGISTER = Register(meter="east-1", energy_wh=12_345_678, mono_ms=3_599_000, wall_ms=1_777_589_999_000)
PINS = [Pin("offers", 3, bytes(32)), Pin("tariff", 7, bytes(range(32)))]
TOTALS = fuel.NozzleTotals(1, 1_001_389, None)
PUMP_TOTALS = fuel.PumpTotals("3", [TOTALS], 3_599_000, 1_777_589_999_000)
SOLD = fuel.Offered(1, "92", "t1", 785_000)

PACK = packs.PackSeen("BT106002512NNTB211118182", 960, 1000, 182, 66_300, 1_440, 285, [])
SAMPLES: list[Wire] = [
    EpochOpened("S1", 2, bytes(range(32)), b"\x30\x59", b"\x30\x45", "fieldtill 0.1.0"),
    GrantAccepted(b"a grant and its signature"),
    SessionOpened(
        connector="east-1",
        holds=[Hold("alice", "CNY", 5_000)],
        preset=Preset("full", 0),
        origin=Origin("card", bytes.fromhex("1122334455667788"), 0, ""),
        begin=REGISTER,
        pins=PINS,
        clock_lb_ms=1_777_589_999_900,
        clock_ub_ms=None,
    ),
    SessionExtended(17, [Hold("alice", "CNY", 2_000)]),
    SessionClosed(
        session=17,
        reason="EVDisconnected",
        end=REGISTER,
        energy_wh=15_000,
        slices=[Slice(0, 1_800_000, 10_000), Slice(1_800_000, 2_700_000, 5_000)],
        idle_s=0,
        clock_lb_ms=1_777_589_999_900,
        clock_ub_ms=1_777_590_000_100,
        lines=[BillLine("energy", 0, 10_000, 35_120, 751), BillLine("energy", 1, 5_000, 110_000, 750)],
        amount_fen=1_501,
        exact_num=7_506,
        exact_den=5,
        overrun_fen=0,
        meter_record="OCMF|{}|{}",
    ),
    SessionVoided(17, "Timeout"),
    SessionHeld(17, "register-went-back", "east-1 went from 5 Wh to 4 Wh"),
    ValueReturned("alice", "CNY"),
    TotalizersRead([REGISTER]),
    DayClosed(41, 1_000, 23, 456_789, 65_432, 12),
    ConfigApplied(PINS),
    ClockMoved(0, 1_777_590_000_000, ClockQuality.SYNCHRONISED),
    TechnicianAct("wang", "stop", "east-1: cable damaged"),
    Notice("overrun", "S1/2/17", "12 fen beyond the hold"),
    AccountActed(5, "alice", "top-up 20.00 yuan"),
    EpochClosed("replaced"),
    CounterTicked(7),
    KeyPublished("log", "S1/2", bytes(range(32)), "valid"),
    EpochMarked("S1", 2, "lost", "the box was stolen", b"a head", b""),
    fuel.FillingOpened(
        pump="3",
        holds=[Hold("alice", "CNY", 20_000)],
        guaranteed=False,
        preset=Preset("money", 20_000),
        order_kind="amount",
        order_limit=20_000,
        offered=[SOLD],
        origin=Origin("card", bytes.fromhex("1122334455667788"), 0, ""),
        asked="81234",
        begin=PUMP_TOTALS,
        volume_step_ml=10,
        amount_step_fen=1,
        total_step_ml=10,
        local_day=20_574,
        pins=PINS,
        clock_lb_ms=1_777_589_999_900,
        clock_ub_ms=None,
    ),
    fuel.FillingClosed(
        session=17,
        reason="preset",
        sold=SOLD,
        volume_ml=25_480,
        shown_fen=20_000,
        end=PUMP_TOTALS,
        lines=[BillLine("fuel", 1, 25_480, 785_000, 20_000)],
        amount_fen=20_000,
        exact_num=100_009,
        exact_den=5,
        overrun_fen=0,
        meter_record=None,
    ),
    fuel.FuelUnattributed(
        "3", 1, "92", "t1", "no-sale", TOTALS, msgspec.structs.replace(TOTALS, volume_ml=1_002_389), 1_000, None, ["li"]
    ),
    fuel.PumpPricesSet("3", [SOLD], "price-list"),
    fuel.PumpTotalsRead([PUMP_TOTALS]),
    fuel.TankDipped("t1", "92", 12_345_678, 1_640, 0, 185, "gauge", "", 3_599_000, 1_777_589_999_000),
    fuel.FuelReceived("t1", "92", 9_950_000, "DN-2026-0042", "wang"),
    fuel.WetStockClosed(41, "t1", "92", 12_345_678, 9_950_000, 8_000_000, 1_000, 14_290_000, -4_678, -585),
    fuel.FuelDayClosed(41, [fuel.GradeSum("92", 210, 8_000_000, 6_280_000, 1_000)]),
    packs.SwapOpened(
        cabinet="cab-1",
        kind="swap",
        account="alice",
        holds=[Hold("alice", "SWAPS30", 1)],
        offer="swaps30",
        bound=PACK.code,
        slot=3,
        pack=None,
        consent_permille=900,
        resumes=None,
        origin=Origin("card", bytes.fromhex("1122334455667788"), 0, ""),
        pins=PINS,
        clock_lb_ms=1_777_589_999_900,
        clock_ub_ms=None,
    ),
    packs.SwapStepped(17, "open-full", 5, PACK, ""),
    packs.SwapClosed(
        session=17,
        outcome="swapped",
        fault="",
        returned=msgspec.structs.replace(PACK, soc_permille=180, energy_wh=None, alarms=["charge low"]),
        returned_slot=3,
        taken=PACK,
        taken_slot=5,
        until_s=None,
        energy_wh=None,
        lines=[BillLine("swap", 0, 1, 300_000, 300)],
        amount_fen=300,
        exact_num=300,
        exact_den=1,
        overrun_fen=0,
        meter_record="FTM|{}|{}",
    ),
    packs.PackNoted("changed", "cab-1", 5, PACK.code, "BT3072020120000200521001", None, "", "over a power cut"),
    packs.SlotSet("cab-1", 5, "resting", "F-11", "", 1_777_590_300),
    packs.PacksScanned(
        "cab-1",
        [packs.ScannedSlot(1, "empty", None), packs.ScannedSlot(2, "pack", PACK), packs.ScannedSlot(3, "unsure", None)],
        3_599_000,
        1_777_589_999_000,
    ),
    packs.ShopDayClosed(41, 120, 3, 2, 9, 1, 36_000),
    fleet.PackMarked("BT3072020120000200521001", "found", 0, "pudong-1", "brought to the counter"),
    ports.PortOpened(
        board="rack",
        port=3,
        holds=[Hold("alice", "CNY", 500)],
        price="bikes",
        preset=Preset("money", 500),
        order_kind="time",
        order_limit=14_400,
        time_max_s=14_400,
        power_w_max=1_000,
        prepaid_fen=500,
        counts_energy=True,
        origin=Origin("card", bytes(8), 0, ""),
        pins=[Pin("port-prices", 2, bytes(32))],
        clock_lb_ms=1_777_590_000_000,
        clock_ub_ms=None,
    ),
    ports.PortClosed(
        session=17,
        reason="full",
        said="1",
        settled=True,
        energy_wh=480,
        elapsed_s=3_600,
        peak_w=100,
        own_fen=None,
        register_wh=[1_000, 1_480],
        step_s=[3_600, 0],
        slices=[Slice(0, 3_600_000, 480)],
        lines=[BillLine("time", 0, 3_600, 100_000, 100)],
        amount_fen=100,
        exact_num=100,
        exact_den=1,
        overrun_fen=0,
        meter_record=None,
    ),
    ports.PortUnattributed("rack", 3, bytes(16), "late", 17, "limit", 480, 3_600, None),
    ports.LockerOpened(
        board="rack",
        port=4,
        account="alice",
        holds=[Hold("alice", "CNY", 300)],
        price="bikes",
        secret=bytes(48),
        charge=Preset("time", 7_200),
        charge_by="alice",
        origin=Origin("panel", b"", 0, "wu"),
        pins=[Pin("port-prices", 2, bytes(32))],
        clock_lb_ms=1_777_590_000_000,
        clock_ub_ms=None,
    ),
    ports.LockerStored(18, unsure=False),
    ports.LockerDoor(18, "remove", Origin("panel", b"", 0, "wu"), "nobody came for it"),
    ports.LockerClosed(18, "collected", 90_000, [BillLine("late", 0, 1, 100_000, 100)], 100, 100, 1, 0),
    ports.LockerOverdue(18, 345_600),
    ports.PortDayClosed(41, 30, 14_000, 9_000, 1, 480, 5, 300),
]


def sample(body: Wire) -> Record:
    return seal(Draft(body, (MOVE,)), STAMP)


def test_each_kind_has_a_sample() -> None:
    """A new (kind, version) needs a sample here and a line in golden_records.txt."""
    assert [type(body) for body in SAMPLES] == list(BODIES.values())
    assert len(KINDS) == len(BODIES)


@pytest.mark.parametrize("body", SAMPLES, ids=lambda body: type(body).__name__)
def test_a_record_comes_back(body: Wire) -> None:
    """Sealed, encoded, decoded: the same record with the same typed body."""
    record = sample(body)
    again = decode(encode(record), Record)
    assert again == record
    assert body_of(again) == body
    assert (again.kind, again.version) == KINDS[type(body)]


def test_bytes_never_change() -> None:
    """Every kind against the bytes first written; logs and signatures in the field rest on them."""
    golden = dict(line.split(": ") for line in GOLDEN.read_text().splitlines() if not line.startswith("#"))
    written = {f"{record.kind} {record.version}": encode(record).hex() for record in map(sample, SAMPLES)}
    assert written == golden


def test_an_unknown_kind_keeps_its_moves() -> None:
    """Headquarters can post what a newer site did without knowing the body."""
    newer = Record("battery-swapped", 1, UNSURE, [MOVE], b"\x91\x01")
    again = decode(encode(newer), Record)
    assert body_of(again) is None
    assert again.moves == [MOVE]
    assert body_of(msgspec.structs.replace(sample(SAMPLES[0]), version=2)) is None


def test_a_body_of_another_shape_is_refused() -> None:
    """A known kind with foreign bytes inside does not pass."""
    with pytest.raises(NotCanonical, match="SessionVoided"):
        body_of(Record("session-voided", 1, STAMP, [], encode(ValueReturned("alice", "CNY"))))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("boot", b"1234567"),
        ("mono_ms", -1),
        ("quality", 4),
        ("mono_ms", 2**53 + 1),
        ("lb_ms", None),
        ("wall_ms", "now"),
    ],
)
def test_a_stamp_out_of_range_is_refused(field: str, value: object) -> None:
    """Structs are not checked when made, so the decoder must be strict."""
    wrong = msgspec.structs.replace(STAMP, **{field: value})
    with pytest.raises(NotCanonical):
        decode(encode(wrong), Stamp)


def test_a_sessions_name_has_no_clock_in_it() -> None:
    """Site, epoch and seq of the opening record."""
    assert session_id("S1", 2, 17) == "S1/2/17"


@given(st.sampled_from(SAMPLES), st.data())
def test_one_damaged_byte_never_passes_as_the_same_record(body: Wire, data: st.DataObject) -> None:
    """A changed byte is refused, or is another record with its own one encoding."""
    record = sample(body)
    damaged = bytearray(encode(record))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(bytes(damaged), Record)
    except NotCanonical:
        return
    assert other != record
    assert encode(other) == bytes(damaged)
