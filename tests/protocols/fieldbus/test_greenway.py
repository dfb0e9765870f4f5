"""Greenway (Surron), byte for byte, in both roles."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, LENGTH, NEED_MORE, NOISE
from protocols.fieldbus.greenway import (
    Frame,
    Request,
    answer_frame,
    cut,
    ear,
    expect,
    request_frame,
    tell_frame,
)
from protocols.fieldbus.greenway_app import (
    SIZES,
    Extremes,
    Field,
    broadcast_of,
    cells_of,
    data_of,
    reading_of,
)
from protocols.fieldbus.hunt import FrameReader, Sound
from protocols.fieldbus.pack import Alarm, PackReading

CELLS = (
    3880, 3875, 3875, 3875, 3875, 3880, 3881, 3881, 3880, 3881, 3879, 3881, 3881, 3882, 3879, 3885,
)  # fmt: skip

# (what it is, field, question, answer, what it says of the pack). The first three are captured whole.
GOLDEN: list[tuple[str, int, str, str, PackReading | None]] = [
    ("field 7", 7, "46 16 01 07 01 65", "47 16 01 07 01 05 6B", None),
    ("voltage", Field.VOLTAGE, "46 16 01 09 04 6A", "47 16 01 09 04 6B F2 00 00 C8", PackReading(voltage_mv=62_059)),
    ("charge", Field.SOC, "46 16 01 0D 01 6B", "47 16 01 0D 01 4B B7", PackReading(soc_permille=750)),
    ("current", Field.CURRENT, "46 16 01 0A 04 6B", "47 16 01 0A 04 B7 FA FF FF 1B", PackReading(current_ma=-1353)),
    ("health", Field.SOH, "46 16 01 0E 01 6C", "47 16 01 0E 01 64 D1", PackReading(soh_permille=1000)),
    ("remaining", Field.REMAINING, "46 16 01 0F 04 70", "47 16 01 0F 04 CA 68 00 00 A3",
     PackReading(remaining_mah=26_826)),
    ("cycles", Field.CYCLES, "46 16 01 17 04 78", "47 16 01 17 04 4E 00 00 00 C7", PackReading(cycles=78)),
    ("serial", Field.SERIAL, "46 16 01 23 20 A0",
     "47 16 01 23 20 30 74 31 38 58 30 36 33 31 31 36 39 30 32 32 32 36" + 15 * " 00" + " 6C",
     PackReading(serial="0t18X063116902226")),
    ("cells", Field.CELLS, "46 16 01 24 20 A1",
     "47 16 01 24 20 28 0F 23 0F 23 0F 23 0F 23 0F 28 0F 29 0F 29 0F 28 0F 29 0F 27 0F 29 0F 29 0F 2A 0F 27 0F 2D 0F"
     " 08", PackReading(cells_mv=CELLS)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "asked", "answered", "reading"), [row[1:] for row in GOLDEN], ids=[row[0] for row in GOLDEN]
)
def test_golden_dialogues(field: int, asked: str, answered: str, reading: PackReading | None) -> None:
    """The gateway asks with these bytes and the pack understands; the pack answers with those and says this."""
    wire, reply = bytes.fromhex(asked), bytes.fromhex(answered)
    length, data = wire[4], reply[5:-1]
    assert request_frame(field, length) == wire
    assert answer_frame(field, data) == reply
    pack, other = ear(), ear(0x0117)
    for hearer in (pack, other):
        hearer.receive_data(wire)
    assert pack.next_event() == Request(field, length)
    assert other.next_event() is NEED_MORE
    for chunks in ([reply], [reply[at : at + 1] for at in range(len(reply))]):
        hunt = expect(field, length)
        assert [hunt.feed(chunk) for chunk in chunks][-1] == data
        assert hunt.discarded == {}
    assert reading_of(field, data) == reading
    if reading is not None:
        assert data_of(field, reading) == data


@pytest.mark.parametrize(
    ("wire", "voltage_mv"),
    [
        ("57 83 01 48 0C 4B 6B F2 00 00 00 00 80 00 00 00 57", 62_059),
        ("57 83 01 48 0C 4B 63 F2 00 00 00 00 80 00 00 00 4F", 62_051),
    ],
)
def test_what_the_vehicle_tells(wire: str, voltage_mv: int) -> None:
    """Captured broadcasts: 75 %, and a length that counts one more than there is."""
    raw = bytes.fromhex(wire)
    found = cut(bytearray(raw))
    assert isinstance(found, Sound)
    frame = found.frame
    assert frame == Frame(0x57, 0x0183, 0x48, 12, raw[5:-1])
    assert tell_frame(frame.field, frame.data) == raw
    assert broadcast_of(frame.field, frame.data) == PackReading(soc_permille=750, voltage_mv=voltage_mv)
    hunt = expect(Field.SOC, 1)
    assert hunt.feed(raw + bytes.fromhex("47 16 01 0D 01 4B B7")) == b"\x4b"
    assert hunt.discarded == {FOREIGN: len(raw)}
    assert broadcast_of(0x49, frame.data) is None


def test_broken_frames_of_the_source() -> None:
    """A wrong sum and a frame cut short are no questions; the sum that the source's text prints is wrong."""
    pack = ear()
    pack.receive_data(bytes.fromhex("46 16 01 07 01 FF"))
    pack.receive_data(bytes.fromhex("46 16"))
    assert pack.next_event() is NEED_MORE
    assert pack.silence() is NEED_MORE
    assert pack.noise_bytes == 8
    hunt = expect(7, 1)
    assert hunt.feed(bytes.fromhex("47 16 01 07 01 05 65")) is NEED_MORE
    assert hunt.discarded == {CRC: 7}


def test_everything_else_on_the_line() -> None:
    """Echo, another field, another length and noise are counted by kind; the answer is found behind them."""
    asked = request_frame(Field.SOC, 1)
    hunt = expect(Field.SOC, 1)
    assert hunt.feed(b"\x00\xff" + asked) is NEED_MORE
    assert hunt.feed(answer_frame(Field.SOH, b"\x64") + answer_frame(Field.SOC, b"\x64\0")) is NEED_MORE
    assert hunt.feed(answer_frame(Field.SOC, b"\x4b")) == b"\x4b"
    assert hunt.discarded == {NOISE: 2, ECHO: len(asked), FOREIGN: 7, LENGTH: 8}


def test_an_answer_behind_the_beginning_of_another() -> None:
    """Noise that promises sixty bytes is waited for no longer than until the gateway gives up."""
    hunt = expect(Field.SOC, 1)
    assert hunt.feed(bytes.fromhex("47 16 01 23 20") + answer_frame(Field.SOC, b"\x4b")) is NEED_MORE
    assert hunt.give_up() == b"\x4b"
    assert hunt.discarded == {NOISE: 5}


def test_limits() -> None:
    """No more than sixty-four bytes are asked for or given, and never none."""
    for length in (0, 65):
        with pytest.raises(ValueError, match="64"):
            request_frame(Field.SERIAL, length)
    with pytest.raises(ValueError, match="64"):
        answer_frame(Field.SERIAL, bytes(65))


def test_fields_that_need_care() -> None:
    """Flags without a public meaning, a date never set, cells in two fields, and extremes that are not of now."""
    flags = bytes((0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0))
    assert reading_of(Field.STATUS, flags) == PackReading(protections=frozenset({Alarm.OTHER}), warnings=frozenset())
    assert reading_of(Field.MADE_ON, b"\x15\x03\x18") == PackReading(made_on=date(2021, 3, 24))
    assert reading_of(Field.MADE_ON, bytes(3)) == PackReading()
    temps = bytes.fromhex("19 FB 1A 00 1E 1F 00 00")
    assert reading_of(Field.TEMPERATURES, temps) == PackReading(temps_dc=(250, -50, 260), mos_temp_dc=310)
    first, more = b"".join(mv.to_bytes(2, "little") for mv in CELLS), b"\x28\x0f" + bytes(30)
    assert cells_of(first, more) == (*CELLS, 3880)
    assert cells_of(first, b"") is None
    extremes = Extremes(-80_000, 20_000, 4190, 2900, 450, -100)
    assert Extremes.decode(extremes.encode()) == extremes
    assert Extremes.decode(bytes(13)) is None
    assert reading_of(Field.EXTREMES, extremes.encode()) is None
    assert [data_of(field, PackReading()) for field in Field] == [None] * len(Field)


@given(st.integers(0, 255), st.binary(min_size=1, max_size=64), st.integers(0, 0xFFFF))
def test_every_frame_arrives(field: int, data: bytes, address: int) -> None:
    """Whatever is asked and answered, at any address, behind the start of a broken frame."""
    for before in (b"", b"\x47", b"\x46\x16"):
        pack = ear(address)
        pack.receive_data(before + request_frame(field, len(data), address))
        event = pack.next_event()
        assert (pack.silence() if event is NEED_MORE else event) == Request(field, len(data))
    assert expect(field, len(data), address).feed(answer_frame(field, data, address)) == data


@given(st.lists(st.binary(max_size=20) | st.sampled_from([request_frame(9, 4), answer_frame(9, b"1234")]), max_size=8))
def test_noise_never_raises_and_is_all_counted(chunks: list[bytes]) -> None:
    """Both ears survive anything; what the gateway's throws away is counted to the byte, unless it found an answer."""
    hunt, pack = expect(Field.SOC, 1), ear()
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


@given(st.sampled_from(Field), st.data())
def test_every_field_reads_as_it_was_written(field: Field, data: st.DataObject) -> None:
    """What any bytes say of a pack, the pack says again so that it reads the same."""
    drawn = data.draw(st.binary(min_size=SIZES[field], max_size=SIZES[field]))
    reading = reading_of(field, drawn)
    again = None if reading is None else data_of(field, reading)
    assert again is None or reading_of(field, again) == reading
    assert reading_of(field, drawn[:-1]) is None


def test_a_reader_never_hoards() -> None:
    """A flood of frame heads leaves no more than one longest frame in it."""
    reader = FrameReader(cut)
    reader.receive_data(b"\x47" * 5000)
    while reader.next_frame() is not None:
        pass
    assert len(reader._buffer) <= 70
