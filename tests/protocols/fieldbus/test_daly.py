"""Daly on UART and RS-485, byte for byte, in both roles."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.daly import (
    FILLER,
    FILLER_FOR_WEAK_UARTS,
    HOST_UART,
    DalyExpect,
    Frame,
    answer_frame,
    ear,
    pack_address,
    request_frame,
)
from protocols.fieldbus.daly_app import (
    Command,
    Counts,
    Sign,
    Switches,
    SwitchOn,
    Total,
    current_raw,
    decode_alarms,
    decode_cells,
    decode_temps,
    encode_alarms,
    frames_for,
    numbered,
    reading_of,
    switch_data,
)
from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, LENGTH, NEED_MORE, NOISE
from protocols.fieldbus.pack import Alarm, Flow, PackReading

SUMS = {0x90: 0x7D, 0x91: 0x7E, 0x92: 0x7F, 0x93: 0x80, 0x94: 0x81, 0x95: 0x82, 0x96: 0x83, 0x97: 0x84, 0x98: 0x85,
        0x57: 0x44, 0x50: 0x3D, 0x53: 0x40}  # fmt: skip


@pytest.mark.parametrize(("command", "total"), SUMS.items())
def test_golden_questions(command: int, total: int) -> None:
    """Every question with a filler of zeros; the pack hears it."""
    raw = bytes((0xA5, 0x40, command, 8)) + bytes(8) + bytes((total,))
    assert request_frame(command) == raw
    pack = ear()
    pack.receive_data(raw)
    assert pack.next_event() == Frame(0x40, command, FILLER)


@pytest.mark.parametrize(
    ("command", "data", "wire"),
    [
        (Command.COUNTS, FILLER_FOR_WEAK_UARTS, "A5 40 94 08 AA AA AA AA AA AA AA AA D1"),
        (Command.TOTAL, FILLER_FOR_WEAK_UARTS, "A5 40 90 08 AA AA AA AA AA AA AA AA CD"),
        (Command.CHARGE_SWITCH, switch_data(True), "A5 40 DA 08 01 00 00 00 00 00 00 00 C8"),
        (Command.CHARGE_SWITCH, switch_data(False), "A5 40 DA 08 00 00 00 00 00 00 00 00 C7"),
        (Command.DISCHARGE_SWITCH, switch_data(True), "A5 40 D9 08 01 00 00 00 00 00 00 00 C7"),
        (Command.DISCHARGE_SWITCH, switch_data(False), "A5 40 D9 08 00 00 00 00 00 00 00 00 C6"),
        (Command.CHARGE_SWITCH, switch_data(False, SwitchOn.ZERO), "A5 40 DA 08 01 00 00 00 00 00 00 00 C8"),
    ],
)
def test_golden_questions_with_data(command: int, data: bytes, wire: str) -> None:
    """A filler for weak UARTs, and the switches, whose byte one article of the vendor reads the other way."""
    assert request_frame(command, data) == bytes.fromhex(wire)


ANSWERS: list[tuple[int, Total | Switches | Counts, str, PackReading]] = [
    (Command.TOTAL, Total(57_700, 0, 29_889, 991), "A5 01 90 08 02 41 00 00 74 C1 03 DF 98",
     PackReading(voltage_mv=57_700, current_ma=11_100, soc_permille=991)),
    (Command.SWITCHES, Switches(0, True, True, 0, 5670), "A5 01 93 08 00 01 01 00 00 00 16 26 7F",
     PackReading(flow=Flow.IDLE, charge_on=True, discharge_on=True, remaining_mah=5670)),
    (Command.COUNTS, Counts(14, 1, False, False, 2, 21), "A5 01 94 08 0E 01 00 00 02 00 15 00 68",
     PackReading(cycles=21)),
]  # fmt: skip


@pytest.mark.parametrize(("command", "value", "wire", "reading"), ANSWERS)
def test_golden_answers(command: int, value: Total | Switches | Counts, wire: str, reading: PackReading) -> None:
    """A real pack's values: 57.7 V, 99.1 %, idle, both switches on, 14 cells, 21 cycles."""
    raw = bytes.fromhex(wire)
    assert answer_frame(command, value.encode()) == raw
    assert type(value).decode(raw[4:-1]) == value
    for chunks in ([raw], [raw[at : at + 1] for at in range(len(raw))]):
        hunt = DalyExpect(command)
        assert [hunt.feed(chunk) for chunk in chunks][-1] == value.encode()
        assert hunt.discarded == {}
    assert reading_of(command, raw[4:-1]) == reading


def test_the_sign_of_the_current_is_configured() -> None:
    """Drivers on UART and captures on Modbus disagree; the pack's own state tells which is right."""
    data = Total(57_700, 0, 29_889, 991).encode()
    one, other = (reading_of(Command.TOTAL, data, sign=sign) for sign in Sign)
    assert one is not None
    assert other is not None
    assert (one.current_ma, other.current_ma) == (11_100, -11_100)
    assert [current_raw(11_100, Sign.ABOVE_DISCHARGES), current_raw(-11_100, Sign.ABOVE_CHARGES)] == [29_889] * 2
    discharging = Switches(2, True, True, 0, 5670).reading()
    assert [discharging.over(reading).contradicts_itself for reading in (one, other)] == [True, False]


def test_cells_come_in_frames_of_three() -> None:
    """The captured first frame, and a pack of four cells whose frames change places."""
    first = bytes.fromhex("A5 01 95 08 01 0E 90 0E 96 0E 96 00 2A")
    assert decode_cells(first[4:-1], 3) == (3728, 3734, 3734)
    assert frames_for(Command.CELLS, 4, 1) == 2
    second = answer_frame(Command.CELLS, bytes.fromhex("02 0E 91 00 00 00 00 00"))
    hunt = DalyExpect(Command.CELLS, frames=2)
    assert hunt.feed(second) is NEED_MORE
    whole = hunt.feed(first)
    assert isinstance(whole, bytes)
    assert reading_of(Command.CELLS, whole, cells=4) == PackReading(cells_mv=(3728, 3734, 3734, 3729))
    assert reading_of(Command.CELLS, whole, cells=7) is None
    assert hunt.discarded == {}


def test_a_lost_frame_leaves_no_half_answer() -> None:
    """What came is counted and forgotten; the next attempt begins anew. A frame that comes twice counts once."""
    hunt = DalyExpect(Command.CELLS, frames=2)
    first, second = (answer_frame(Command.CELLS, data) for data in numbered(bytes(range(12)), 6))
    assert hunt.feed(first) is NEED_MORE
    assert hunt.give_up() is NEED_MORE
    assert hunt.discarded == {LENGTH: 13}
    assert hunt.feed(second + second) is NEED_MORE
    assert hunt.feed(first) == first[4:-1] + second[4:-1]
    assert hunt.discarded == {LENGTH: 26}
    with pytest.raises(ValueError, match="frames"):
        DalyExpect(Command.CELLS, frames=0)


def test_the_code_comes_in_five_frames() -> None:
    """Number and seven characters each."""
    code = "BT3072020120000200521001"
    hunt = DalyExpect(Command.CODE, frames_for(Command.CODE, 0, 0))
    frames = [answer_frame(Command.CODE, data) for data in numbered(code.encode().ljust(35), 7)]
    found = [hunt.feed(frame) for frame in frames][-1]
    assert isinstance(found, bytes)
    assert reading_of(Command.CODE, found) == PackReading(serial=code)


def test_temperatures_and_the_rare_answers() -> None:
    """All offset by forty; sizes that no wire gives are nothing."""
    temps = b"".join(numbered(bytes((65, 30, 40, 41, 42, 43, 44, 45)), 7))
    assert frames_for(Command.TEMPS, 0, 8) == 2
    assert decode_temps(temps, 8) == (250, -100, 0, 10, 20, 30, 40, 50)
    assert reading_of(Command.TEMPS, temps, sensors=1) == PackReading(temps_dc=(250,))
    rare = {
        Command.CELL_EXTREMES: ("0C D3 01 0C D1 02 00 00", PackReading(cell_mv_max=3283, cell_mv_min=3281)),
        Command.TEMP_EXTREMES: ("35 01 1E 02 00 00 00 00", PackReading(temp_dc_max=130, temp_dc_min=-100)),
        Command.RATED: ("00 00 4E 20 00 00 0E 42", PackReading(design_mah=20_000)),
        Command.MADE_ON: ("00 00 15 03 18 00 00 00", PackReading(made_on=date(2021, 3, 24))),
        Command.BALANCING: ("00 00 00 00 00 00 00 00", None),
    }
    for command, (data, reading) in rare.items():
        assert reading_of(command, bytes.fromhex(data)) == reading
        assert reading_of(command, b"") is None
    assert reading_of(0x77, bytes(8)) is None


@pytest.mark.parametrize(
    ("data", "warnings", "protections"),
    [
        ("00 00 00 00 00 00 00 00", set(), set()),
        ("01 00 00 00 00 00 00 00", {Alarm.CELL_HIGH}, set()),
        ("0C 00 00 00 00 00 00 00", {Alarm.CELL_LOW}, {Alarm.CELL_LOW}),
        ("00 02 00 00 00 00 00 00", set(), {Alarm.CHARGE_HOT}),
        ("00 00 84 00 00 00 00 00", {Alarm.DISCHARGE_CURRENT}, {Alarm.SOC_LOW}),
        ("00 00 00 12 00 00 00 00", set(), {Alarm.CELLS_APART, Alarm.OTHER}),
        ("00 00 00 00 51 80 04 00", set(), {Alarm.MOS_HOT, Alarm.MOS_FAULT, Alarm.LINK_FAULT, Alarm.SHORT}),
        ("00 00 00 00 00 00 10 00", set(), {Alarm.OTHER}),
        ("00 00 00 00 00 00 00 07", set(), {Alarm.OTHER}),
    ],
)
def test_alarms(data: str, warnings: set[Alarm], protections: set[Alarm]) -> None:
    """Two levels as pairs of bits, then faults; nothing that is set is lost."""
    assert decode_alarms(bytes.fromhex(data)) == PackReading(
        warnings=frozenset(warnings), protections=frozenset(protections)
    )
    assert decode_alarms(b"") is None


def test_more_than_one_pack_on_a_line() -> None:
    """The second pack is asked as 41h and answers as 2; others' words are foreign."""
    assert [pack_address(host) for host in (0x40, 0x41, HOST_UART)] == [1, 2, 1]
    asked = request_frame(Command.TOTAL, host=0x41)
    first, second = ear(1), ear(2)
    for pack in (first, second):
        pack.receive_data(asked + answer_frame(Command.TOTAL, FILLER, 2))
    assert first.next_event() is NEED_MORE
    assert second.next_event() == Frame(0x41, Command.TOTAL, FILLER)
    assert second.next_event() is NEED_MORE
    hunt = DalyExpect(Command.TOTAL, host=0x41)
    assert hunt.feed(asked + answer_frame(Command.TOTAL, FILLER, 1)) is NEED_MORE
    assert hunt.feed(answer_frame(Command.CELLS, FILLER, 2)) is NEED_MORE
    assert hunt.feed(b"\xa5\x02" + answer_frame(Command.TOTAL, FILLER, 2)) == FILLER
    assert hunt.discarded == {ECHO: 13, FOREIGN: 26, NOISE: 2}


def test_a_wrong_sum_is_no_answer() -> None:
    """Counted as such."""
    hunt = DalyExpect(Command.TOTAL)
    assert hunt.feed(answer_frame(Command.TOTAL, FILLER)[:-1] + b"\0") is NEED_MORE
    assert hunt.discarded == {CRC: 13}
    with pytest.raises(ValueError, match="8 bytes"):
        request_frame(Command.TOTAL, b"")


@given(st.integers(0, 255), st.binary(min_size=8, max_size=8), st.integers(0x40, 0x7E))
def test_every_frame_arrives(command: int, data: bytes, host: int) -> None:
    """Whatever is asked and answered, behind the start of a broken frame."""
    for before in (b"", b"\xa5", b"\xa5\x40\x90\x08"):
        pack = ear(pack_address(host))
        pack.receive_data(before + request_frame(command, data, host))
        event = pack.next_event()
        assert (pack.silence() if event is NEED_MORE else event) == Frame(host, command, data)
    hunt = DalyExpect(command, host=host, data=data)
    assert hunt.feed(answer_frame(command, data, pack_address(host))) == data


@given(
    st.lists(
        st.binary(max_size=20) | st.sampled_from([request_frame(0x95), answer_frame(0x95, b"12345678")]), max_size=8
    )
)
def test_noise_never_raises_and_is_all_counted(chunks: list[bytes]) -> None:
    """Both ears survive anything; what the gateway's throws away is counted to the byte, unless it found an answer."""
    hunt, pack = DalyExpect(Command.CELLS, frames=5), ear()
    answers = [hunt.feed(chunk) for chunk in chunks]
    answers.append(hunt.give_up())
    for chunk in chunks:
        pack.receive_data(chunk)
        while pack.next_event() is not NEED_MORE:
            pass
    while pack.silence() is not NEED_MORE:
        pass
    if all(found is NEED_MORE for found in answers):
        assert sum(hunt.discarded.values()) == sum(len(chunk) for chunk in chunks)


@given(st.binary(max_size=8) | st.binary(max_size=60), st.sampled_from(Command), st.integers(0, 48))
def test_values_never_raise(data: bytes, command: Command, count: int) -> None:
    """Any data are a reading or none."""
    reading_of(command, data, cells=count, sensors=count)


@given(st.frozensets(st.sampled_from(Alarm)), st.frozensets(st.sampled_from(Alarm)))
def test_alarms_read_as_they_were_written(warnings: frozenset[Alarm], protections: frozenset[Alarm]) -> None:
    """Those that have a place."""
    reading = decode_alarms(encode_alarms(warnings, protections))
    assert reading is not None
    assert (reading.warnings or set()) <= warnings
    assert (reading.protections or set()) <= protections
    assert encode_alarms(reading.warnings or frozenset(), reading.protections or frozenset()) == encode_alarms(
        warnings, protections
    )


@given(st.binary(min_size=8, max_size=8))
def test_values_keep_their_bytes(data: bytes) -> None:
    """But for the flags, of which any number above zero is a yes."""
    assert Total.decode(data).encode() == data  # type: ignore[union-attr]  # eight bytes always decode
    for kind in (Switches, Counts):
        value = kind.decode(data)
        assert value is not None
        assert kind.decode(value.encode()) == value
        assert kind.decode(data[:-1]) is None
