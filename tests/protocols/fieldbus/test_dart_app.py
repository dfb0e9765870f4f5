"""DART's transactions: every published frame, byte for byte, in both roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.dart_app import (
    Alarm,
    Allow,
    AmountTotal,
    Ask,
    AskAmountTotal,
    AskTotals,
    Command,
    Filled,
    FillingType,
    FromController,
    FromPump,
    Identity,
    NozzlePrice,
    Output,
    Parameters,
    PresetAmount,
    PresetVolume,
    Prices,
    Resume,
    SetParameters,
    State,
    Status,
    Suspend,
    Totals,
    Unknown,
    decode_from_controller,
    decode_from_pump,
    encode_to_controller,
    encode_to_pump,
)
from protocols.fieldbus.dart_frames import Control, Frame, FrameReader, encode_frame


def command(what: Ask) -> tuple[FromController, ...]:
    return (Command(what),)


def at(state: State, price: int, nozzle: int, out: bool) -> tuple[FromPump, ...]:
    return (Status(state), NozzlePrice(price, nozzle, out))


NONE_FLOWED = Filled(0, 0)

# Frames of captures, logs and comments of fielded drivers, then computed ones. (bytes, what they say)
TO_PUMP: list[tuple[str, tuple[FromController, ...]]] = [
    ("51 35 01 01 00 A2 50 03 FA", command(Ask.STATUS)),
    ("51 3E 01 01 04 A1 B7 03 FA", command(Ask.FILLING)),
    ("51 36 01 01 06 22 16 03 FA", command(Ask.AUTHORIZE)),
    ("51 3E 01 01 08 A1 B2 03 FA", command(Ask.STOP)),
    ("51 34 02 01 01 92 6C 03 FA", (Allow((1,)),)),
    ("51 35 03 04 99 99 99 99 04 89 03 FA", (PresetVolume(99_999_999),)),
    ("52 3C 05 09 00 12 34 00 56 78 00 26 53 A9 46 03 FA", (Prices((1234, 5678, 2653)),)),
    ("50 30 01 01 00 9F 5C 03 FA", command(Ask.STATUS)),
    ("50 30 01 01 05 5F 5F 03 FA", command(Ask.RESET)),
    ("50 30 01 01 06 1F 5E 03 FA", command(Ask.AUTHORIZE)),
    ("50 30 01 01 08 9E 9A 03 FA", command(Ask.STOP)),
    ("51 30 65 01 01 22 83 03 FA", (AskTotals(1),)),
    ("51 31 65 01 01 23 7F 03 FA", (AskTotals(1),)),
    ("51 32 65 01 01 23 3B 03 FA", (AskTotals(1),)),
    ("51 33 65 01 01 22 C7 03 FA", (AskTotals(1),)),
    ("51 30 01 01 00 A2 9C 03 FA", command(Ask.STATUS)),
    ("50 31 01 01 00 9E A0 03 FA", command(Ask.STATUS)),
    ("50 34 02 02 01 02 01 01 05 70 ED 03 FA", (Allow((1, 2)), Command(Ask.RESET))),
    # of the logged sale
    ("50 32 01 01 00 9E E4 03 FA", command(Ask.STATUS)),
    ("50 34 01 01 05 5E 6F 03 FA", command(Ask.RESET)),
    ("50 35 02 01 01 AE 50 03 FA", (Allow((1,)),)),
    ("50 36 01 01 00 9F D4 03 FA", command(Ask.STATUS)),
    ("50 37 01 01 06 1E 2A 03 FA", command(Ask.AUTHORIZE)),
    ("50 39 01 01 00 9C C0 03 FA", command(Ask.STATUS)),
    ("50 3D 65 01 01 1D EF 03 FA", (AskTotals(1),)),
    # computed
    ("52 31 65 01 01 67 7F 03 FA", (AskTotals(1),)),
    ("52 32 05 03 00 12 50 B7 0F 03 FA", (Prices((1250,)),)),
    ("52 34 02 01 01 04 04 00 00 20 00 6A 7B 03 FA", (Allow((1,)), PresetAmount(2000))),
    ("52 37 65 01 01 67 F7 03 FA", (AskTotals(1),)),
    ("52 38 01 01 08 E5 3A 03 FA", command(Ask.STOP)),
    ("52 3B 01 01 0A 64 BF 03 FA", command(Ask.SWITCH_OFF)),
    ("52 39 0E 01 00 D5 03 03 FA", (Suspend(),)),
    ("52 3A 0F 01 00 84 87 03 FA", (Resume(),)),
    ("53 30 05 03 00 01 25 6A 10 FA 03 FA", (Prices((125,)),)),
    ("53 30 05 03 00 00 83 EB 10 03 FA", (Prices((83,)),)),
]

TO_CONTROLLER: list[tuple[str, tuple[FromPump, ...]]] = [
    ("51 3A 03 04 00 81 23 11 26 14 03 FA", (NozzlePrice(8123, 1, True),)),
    (
        "51 3D 01 01 01 01 01 02 01 01 02 03 04 00 81 23 11 B1 CE 03 FA",
        (Status(1), Status(2), Status(2), NozzlePrice(8123, 1, True)),
    ),
    (
        "51 31 01 01 04 03 04 00 81 23 11 02 08 00 00 04 28 00 00 34 77 03 04 00 81 23 11 83 55 03 FA",
        (Status(4), NozzlePrice(8123, 1, True), Filled(428, 3477), NozzlePrice(8123, 1, True)),
    ),
    ("50 37 02 08 00 00 00 87 00 00 01 00 56 30 03 FA", (Filled(87, 100),)),
    (
        "50 32 02 08 00 00 00 31 00 00 00 51 03 04 00 16 45 00 01 01 05 B3 85 03 FA",
        (Filled(31, 51), NozzlePrice(1645, 0, False), Status(5)),
    ),
    (
        "53 30 02 08 00 00 12 11 00 00 01 86 03 04 00 15 39 00 01 01 05 AA CF 03 FA",
        (Filled(1211, 186), NozzlePrice(1539, 0, False), Status(5)),
    ),
    ("51 33 02 08 00 00 01 31 00 00 02 00 01 01 06 22 48 03 FA", (Filled(131, 200), Status(6))),
    (
        "53 30 65 10 02 00 00 66 64 16 00 00 66 64 16 00 00 00 00 00 57 4F 03 FA",
        (Totals(2, (666_416, 666_416, 0)),),
    ),
    (
        "50 31 65 10 01 00 00 28 12 49 00 00 28 12 49 00 00 00 00 00 60 89 03 FA",
        (Totals(1, (281_249, 281_249, 0)),),
    ),
    (
        "50 30 02 08 00 00 00 00 00 00 00 00 03 04 00 99 07 07 01 01 05"
        " 65 10 01 13 36 38 49 66 13 36 38 49 66 00 00 00 00 00 D8 43 03 FA",
        (NONE_FLOWED, NozzlePrice(9907, 7, False), Status(5), Totals(1, (1_336_384_966, 1_336_384_966, 0))),
    ),
    (
        "51 3A 02 08 00 00 00 00 00 00 00 00 03 04 00 11 75 01 01 01 05 60 27 03 FA",
        (NONE_FLOWED, NozzlePrice(1175, 1, False), Status(5)),
    ),
    ("50 31 01 01 05 03 04 00 99 07 07 AB 49 03 FA", at(State.COMPLETED, 9907, 7, False)),
    ("51 3D 65 10 01 00 00 00 00 02 00 00 00 00 02 00 00 00 00 00 58 F8 03 FA", (Totals(1, (2, 2, 0)),)),
    ("50 36 65 06 01 00 00 01 06 34 8E 91 03 FA", (Totals(1, (10_634,)),)),
    # of the logged sale
    ("50 3F 03 04 00 21 80 11 CA 0A 03 FA", (NozzlePrice(2180, 1, True),)),
    ("50 31 01 01 05 03 04 00 21 80 11 C9 52 03 FA", at(State.COMPLETED, 2180, 1, True)),
    ("50 33 02 08 00 00 00 00 00 00 00 00 F6 8E 03 FA", (NONE_FLOWED,)),
    ("50 34 01 01 01 03 04 00 21 80 11 9C 82 03 FA", at(State.RESET, 2180, 1, True)),
    ("50 35 01 01 01 03 04 00 21 80 11 CD 47 03 FA", at(State.RESET, 2180, 1, True)),
    ("50 37 01 01 02 03 04 00 21 80 11 5F 8D 03 FA", at(State.AUTHORIZED, 2180, 1, True)),
    ("50 38 01 01 04 03 04 00 21 80 11 09 BD 03 FA", at(State.FILLING, 2180, 1, True)),
    # computed
    ("52 30 01 01 05 03 04 00 12 34 01 15 EC 03 FA", at(State.COMPLETED, 1234, 1, False)),
    ("52 32 03 04 00 12 50 11 3A DC 03 FA", (NozzlePrice(1250, 1, True),)),
    ("52 33 01 01 01 27 18 03 FA", (Status(State.RESET),)),
    ("52 34 01 01 02 66 6D 03 FA", (Status(State.AUTHORIZED),)),
    ("52 35 01 01 04 E7 93 03 FA", (Status(State.FILLING),)),
    ("52 37 02 08 00 00 16 00 00 00 20 00 01 01 06 B5 A2 03 FA", (Filled(1600, 2000), Status(State.MAX_REACHED))),
    ("52 38 03 04 00 12 50 01 01 01 05 CC 7E 03 FA", (NozzlePrice(1250, 1, False), Status(State.COMPLETED))),
    ("52 39 02 08 00 00 16 00 00 00 20 00 35 A7 03 FA", (Filled(1600, 2000),)),
    ("52 3B 05 01 0A 25 7E 03 FA", (Alarm(0x0A),)),
    ("50 36 03 04 00 00 83 09 03 10 FA 03 FA", (NozzlePrice(83, 9, False),)),
]


@pytest.mark.parametrize(("text", "said"), TO_PUMP)
def test_what_a_controller_says(text: str, said: tuple[FromController, ...]) -> None:
    """Written by the controller's side and read by the pump's."""
    wire = bytes.fromhex(text)
    (frame,) = FrameReader().feed(wire)
    assert decode_from_controller(frame.data) == said
    assert encode_frame(Frame(wire[0], Control.DATA, wire[1] & 15, encode_to_pump(*said))) == wire


@pytest.mark.parametrize(("text", "said"), TO_CONTROLLER)
def test_what_a_pump_says(text: str, said: tuple[FromPump, ...]) -> None:
    """Written by the pump's side and read by the controller's."""
    wire = bytes.fromhex(text)
    (frame,) = FrameReader().feed(wire)
    assert decode_from_pump(frame.data) == said
    assert encode_frame(Frame(wire[0], Control.DATA, wire[1] & 15, encode_to_controller(*said))) == wire


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("65 06 01 00 00 01 06 34", Totals(1, (10_634,))),
        ("65 10 02 00 00 66 64 16 00 00 66 64 16 00 00 00 00 00", Totals(2, (666_416, 666_416, 0))),
        ("65 0D 01 00 12 34 56 78 90 00 98 76 54 32 10", Totals(1, (1_234_567_890, 9_876_543_210))),
        ("65 0D 01 FF 12 34 56 78 90 FF 98 76 54 32 10", Totals(1, (1_234_567_890, 9_876_543_210))),
        ("65 06 13 00 00 01 06 34", Totals(0x13, (10_634,))),
        ("66 06 03 00 00 01 06 34", AmountTotal(3, (10_634,))),
        ("65 07 01 00 00 01 06 34 00", Unknown(0x65, bytes.fromhex("01 00 00 01 06 34 00"))),
        ("65 00", Unknown(0x65, b"")),
    ],
)
def test_the_length_of_totals_says_their_layout(data: str, said: FromPump) -> None:
    """6, 13 or 16 bytes; of the Chinese heads' six-byte counters the last five count."""
    assert decode_from_pump(bytes.fromhex(data)) == (said,)


def test_totals_know_their_nozzle_and_kind() -> None:
    """Counter 13h is money of nozzle 3."""
    assert (Totals(0x13, (1,)).nozzle, Totals(0x13, (1,)).of_amount) == (3, True)
    assert (Totals(2, (1,)).nozzle, Totals(2, (1,)).of_amount) == (2, False)


def test_unknown_transactions_are_skipped_by_their_length() -> None:
    """What stands behind them is read; a status code inside them is none."""
    data = bytes.fromhex("63 03 01 01 05 01 01 04")
    assert decode_from_pump(data) == (Unknown(0x63, b"\x01\x01\x05"), Status(State.FILLING))


@pytest.mark.parametrize("data", ["01", "01 01", "02 08 00 00", "03 04 00 12 5A 11", "02 08 00 00 0A 00 00 00 00 00"])
def test_what_does_not_fit_is_unknown(data: str) -> None:
    """Cut short, or not decimal: never a number."""
    assert all(isinstance(said, Unknown) for said in decode_from_pump(bytes.fromhex(data)))


@pytest.mark.parametrize("length", [50, 51])
def test_parameters_tell_the_decimals(length: int) -> None:
    """DC7; the document's fields add up to one byte more than it says."""
    data = (
        bytes([7, length]) + bytes(22) + bytes([2, 2, 3]) + bytes(5) + bytes.fromhex("00 99 99 99") + bytes(length - 34)
    )
    assert decode_from_pump(data) == (Parameters(2, 2, 3, 999_999),)


prices = st.integers(0, 999_999)
amounts = st.integers(0, 99_999_999)
totals = st.integers(0, 9_999_999_999)
nozzles = st.integers(1, 15)
bytes_ = st.integers(0, 255)
from_controller = st.one_of(
    st.builds(Command, bytes_),
    st.builds(Allow, st.lists(nozzles, max_size=15).map(tuple)),
    st.builds(PresetVolume, amounts),
    st.builds(PresetAmount, amounts),
    st.builds(Prices, st.lists(prices, max_size=15).map(tuple)),
    st.builds(Output, st.binary(max_size=10)),
    st.builds(SetParameters, st.binary(max_size=10)),
    st.builds(FillingType, st.booleans()),
    st.builds(Suspend, bytes_),
    st.builds(Resume, bytes_),
    st.builds(AskTotals, bytes_),
    st.builds(AskAmountTotal, bytes_),
    st.builds(Unknown, st.integers(0x70, 0xFF), st.binary(max_size=10)),
)
from_pump = st.one_of(
    st.builds(Status, bytes_),
    st.builds(Filled, amounts, amounts),
    st.builds(NozzlePrice, prices, st.integers(0, 15), st.booleans()),
    st.builds(Alarm, bytes_),
    st.builds(Parameters, st.integers(0, 8), st.integers(0, 8), st.integers(0, 8), amounts),
    st.builds(Identity, st.integers(0, 9_999_999_999).map(lambda digits: f"{digits:010d}")),
    st.builds(Totals, bytes_, st.integers(1, 3).flatmap(lambda count: st.tuples(*[totals] * count))),
    st.builds(AmountTotal, bytes_, st.integers(1, 3).flatmap(lambda count: st.tuples(*[totals] * count))),
    st.builds(Unknown, st.integers(0x70, 0xFF), st.binary(max_size=10)),
)


@given(st.lists(from_controller, max_size=4))
def test_a_controllers_words_come_back(said: list[FromController]) -> None:
    """Round trip of every transaction, several in a block."""
    assert decode_from_controller(encode_to_pump(*said)) == tuple(said)


@given(st.lists(from_pump, max_size=4))
def test_a_pumps_words_come_back(said: list[FromPump]) -> None:
    """Round trip of every transaction, several in a block."""
    assert decode_from_pump(encode_to_controller(*said)) == tuple(said)


@given(st.binary(max_size=300))
def test_decoding_never_raises(data: bytes) -> None:
    """Whatever a block carries."""
    decode_from_controller(data)
    decode_from_pump(data)


@pytest.mark.parametrize(
    "said", [PresetVolume(100_000_000), PresetAmount(-1), Prices((1_000_000,)), Allow((0,)), Allow((16,))]
)
def test_what_has_no_place_in_the_frame_is_refused(said: FromController) -> None:
    """Rather than sent as something else."""
    with pytest.raises(ValueError, match="got"):
        encode_to_pump(said)


def test_alarms_have_words() -> None:
    """Those that no document explains show their number."""
    assert (Alarm(9).word, Alarm(0x13).word) == ("emergency stop", "alarm 13")
