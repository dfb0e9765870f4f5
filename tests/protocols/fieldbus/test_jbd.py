"""JBD (Xiaoxiang), byte for byte, in both roles."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, NEED_MORE, NOISE
from protocols.fieldbus.jbd import Reply, Request, Status, answer_frame, ear, expect, read_frame, write_frame
from protocols.fieldbus.jbd_app import (
    COUNTED,
    Basic,
    Counters,
    Register,
    decode_cells,
    decode_text,
    encode_cells,
    encode_text,
    is_mos_off,
    mos_off,
    reading_of,
)
from protocols.fieldbus.pack import Alarm, PackReading

FIFTEEN_CELLS = Basic(58_880, 0, 7200, 10_000, 0, 0x2078, 0, 0, 0x10, 72, 3, 15, (203, 215))
LOCKED = Basic(15_470, 0, 4930, 5000, 0, 0x2C7C, 0, 0x1000, 0x80, 99, 2, 4, (245, 242, 237))
CELL_HIGH = Basic(14_280, 0, 280_000, 280_000, 8, 0x2C7C, 0, 1, 0x80, 100, 2, 4, (215, 209, 204))
SEVENTEEN_CELLS = Basic(66_230, -20_120, 34_930, 40_000, 2, 0x2491, 0, 0, 0x12, 87, 3, 17, (237, 254, 235, 236))
CODE = "BT106002512NNTB211118182"

# (register, question, answer's value, answer)
READS: list[tuple[int, str, bytes, str]] = [
    (Register.BASIC, "DD A5 03 00 FF FD 77", FIFTEEN_CELLS.encode(),
     "DD 03 00 1B 17 00 00 00 02 D0 03 E8 00 00 20 78 00 00 00 00 00 00 10 48 03 0F 02 0B 76 0B 82 FB FF 77"),
    (Register.BASIC, "DD A5 03 00 FF FD 77", LOCKED.encode(),
     "DD 03 00 1D 06 0B 00 00 01 ED 01 F4 00 00 2C 7C 00 00 00 00 10 00 80 63 02 04 03 0B A0 0B 9D 0B 98 FA 55 77"),
    (Register.BASIC, "DD A5 03 00 FF FD 77", CELL_HIGH.encode(),
     "DD 03 00 1D 05 94 00 00 6D 60 6D 60 00 08 2C 7C 00 00 00 00 00 01 80 64 02 04 03 0B 82 0B 7C 0B 77 FA 7C 77"),
    (Register.CELLS, "DD A5 04 00 FF FC 77", encode_cells((3875, 3868, 3858, 3869)),
     "DD 04 00 08 0F 23 0F 1C 0F 12 0F 1D FF 4E 77"),
    (Register.CELLS, "DD A5 04 00 FF FC 77",
     encode_cells((3784, 3784, 3787, 3791, 3786, 3783, 3786, 3789, 3785, 3786, 3787, 3787, 3784, 3788, 3784, 3785,
                   3785)),
     "DD 04 00 22 0E C8 0E C8 0E CB 0E CF 0E CA 0E C7 0E CA 0E CD 0E C9 0E CA 0E CB 0E CB 0E C8 0E CC 0E C8 0E C9 0E C9"
     " F1 87 77"),
    (Register.BASIC, "DD A5 03 00 FF FD 77", SEVENTEEN_CELLS.encode(),
     "DD 03 00 1F 19 DF F8 24 0D A5 0F A0 00 02 24 91 00 00 00 00 00 00 12 57 03 11 04 0B 98 0B A9 0B 96 0B 97"
     " F8 9A 77"),
    (Register.HARDWARE, "DD A5 05 00 FF FB 77", b"0123456789", "DD 05 00 0A 30 31 32 33 34 35 36 37 38 39 FD E9 77"),
    (Register.COUNTERS, "DD A5 AA 00 FF 56 77", Counters((0,) * 11, 0).encode(),
     "DD AA 00 18" + 24 * " 00" + " FF E8 77"),
    (Register.BARCODE, "DD A5 A2 00 FF 5E 77", encode_text(CODE, prefixed=False),
     "DD A2 00 18 42 54 31 30 36 30 30 32 35 31 32 4E 4E 54 42 32 31 31 31 31 38 31 38 32 FA 96 77"),
]  # fmt: skip


@pytest.mark.parametrize(("register", "asked", "data", "answered"), READS)
def test_golden_reads(register: int, asked: str, data: bytes, answered: str) -> None:
    """The gateway asks with these bytes, the pack answers with those, whole or byte by byte."""
    wire, reply = bytes.fromhex(asked), bytes.fromhex(answered)
    assert read_frame(register) == wire
    assert answer_frame(register, data) == reply
    pack = ear()
    pack.receive_data(wire)
    assert pack.next_event() == Request(register, False, b"")
    for chunks in ([reply], [reply[at : at + 1] for at in range(len(reply))]):
        hunt = expect(register, wire)
        assert [hunt.feed(chunk) for chunk in chunks][-1] == Reply(Status.OK, data)
        assert hunt.discarded == {}


@pytest.mark.parametrize(
    ("register", "data", "wire"),
    [
        (Register.MOS, mos_off(charge=False, discharge=False), "DD 5A E1 02 00 00 FF 1D 77"),
        (Register.MOS, mos_off(charge=True, discharge=False), "DD 5A E1 02 00 01 FF 1C 77"),
        (Register.MOS, mos_off(charge=False, discharge=True), "DD 5A E1 02 00 02 FF 1B 77"),
        (Register.MOS, mos_off(charge=True, discharge=True), "DD 5A E1 02 00 03 FF 1A 77"),
        (Register.FACTORY_ENTER, b"\x56\x78", "DD 5A 00 02 56 78 FF 30 77"),
        (Register.FACTORY_LEAVE, b"\x28\x28", "DD 5A 01 02 28 28 FF AD 77"),
        (Register.FACTORY_LEAVE, b"\0\0", "DD 5A 01 02 00 00 FF FD 77"),
        (Register.MOS_V13, b"\x01\x01", "DD 5A FB 02 01 01 FF 01 77"),
    ],
)
def test_golden_writes(register: int, data: bytes, wire: str) -> None:
    """Captured with a logic analyser, but for the factory mode; a set bit of MOS is OFF."""
    raw = bytes.fromhex(wire)
    assert write_frame(register, data) == raw
    pack = ear()
    pack.receive_data(raw)
    assert pack.next_event() == Request(register, True, data)


def test_a_write_is_acknowledged_or_refused() -> None:
    """Without data, and with the status that says why not."""
    done = bytes.fromhex("DD E1 00 00 00 00 77")
    assert answer_frame(Register.MOS) == done
    assert expect(Register.MOS).feed(done) == Reply(Status.OK, b"")
    refused = answer_frame(Register.MOS, status=Status.NOT_ALLOWED)
    assert expect(Register.MOS).feed(refused) == Reply(Status.NOT_ALLOWED, b"")
    assert [is_mos_off(data) for data in (b"\0\2", b"\1\2", b"\0")] == [(False, True), None, None]


def test_what_the_packs_of_the_vectors_say() -> None:
    """As the sources read them."""
    assert Basic.decode(FIFTEEN_CELLS.encode()) == FIFTEEN_CELLS
    assert FIFTEEN_CELLS.reading() == PackReading(
        made_on=date(2016, 3, 24), software="1.0", voltage_mv=58_880, current_ma=0, soc_permille=720,
        remaining_mah=7200, design_mah=10_000, cycles=0, temps_dc=(203, 215), charge_on=True, discharge_on=True,
        protections=frozenset(),
    )  # fmt: skip
    assert SEVENTEEN_CELLS.reading().current_ma == -20_120
    locked, high = LOCKED.reading(), CELL_HIGH.reading()
    assert (locked.charge_on, locked.discharge_on, locked.protections) == (False, True, {Alarm.LOCKED})
    assert (high.charge_on, high.protections, high.cycles) == (False, {Alarm.CELL_HIGH}, 8)
    assert reading_of(Register.BASIC, LOCKED.encode()) == locked
    assert reading_of(Register.CELLS, bytes.fromhex("0F230F1C")) == PackReading(cells_mv=(3875, 3868))
    assert reading_of(Register.BARCODE, CODE.encode()) == PackReading(serial=CODE)
    assert reading_of(Register.HARDWARE, b"0123456789") == PackReading(hardware="0123456789")


def test_a_newer_board_says_more() -> None:
    """V13 appends humidity, alarms, full charge, remaining charge and balancing current; longer ones are taken too."""
    longer = Basic(
        58_880, -2000, 7200, 10_000, 9, 0, 0, 0, 0x24, 72, 3, 15, (), bytes.fromhex("2A 0000 03B6 02D0 0000")
    )
    assert Basic.decode(longer.encode()) == longer
    assert (longer.full_mah, longer.reading().health_permille) == (9500, 950)
    assert (longer.made_on, longer.reading().current_ma, longer.reading().software) == (None, -2000, "2.4")
    unmeasured = Basic(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (), bytes(9))
    assert (unmeasured.full_mah, unmeasured.reading().health_permille) == (None, None)
    assert FIFTEEN_CELLS.full_mah is None
    assert Basic.decode(FIFTEEN_CELLS.encode()[:-1]) is None


def test_counters_are_named() -> None:
    """The source's own example: one short circuit, two charge over-currents ... twelve restarts."""
    found = Counters.decode(bytes(byte for number in range(1, 13) for byte in (0, number)))
    assert found == Counters(tuple(range(1, 12)), 12)
    assert dict(zip(COUNTED, found.times, strict=True))[Alarm.PACK_LOW] == 11
    assert Counters.decode(bytes(23)) is None


def test_texts_with_and_without_their_length() -> None:
    """One driver finds a length before barcode and serial number; no capture shows it. Both are read."""
    for prefixed in (True, False):
        assert decode_text(encode_text(CODE, prefixed=prefixed)) == CODE
    assert decode_text(b"\x03ABCDE") == "ABC"
    assert [decode_text(data) for data in (b"", b"\x05AB", b"\xff\xff")] == [None] * 3
    with pytest.raises(ValueError, match="too long"):
        encode_text("A" * 32, prefixed=True)


@pytest.mark.parametrize(
    "wire",
    [
        # three stray bytes: 37 bytes where the length says 34
        "DD 03 00 1B 17 00 00 00 02 D0 03 E8 00 00 20 78 00 00 00 00 00 00 10 48 03 0F 02 0B 76 0B 82"
        " AA BB CC FB FF 77",
        "DD AA 00 18" + 20 * " 00" + " FF E8 77",  # 27 bytes where the length says 31
    ],
)
def test_broken_answers_of_the_v13_document(wire: str) -> None:
    """No answer; and the sound one behind it is found, at the latest when the gateway gives up."""
    raw = bytes.fromhex(wire)
    hunt = expect(raw[1])
    sound = answer_frame(raw[1], b"12")
    found = hunt.feed(raw)
    assert found is NEED_MORE
    found = hunt.feed(sound)
    assert (hunt.give_up() if found is NEED_MORE else found) == Reply(Status.OK, b"12")
    assert sum(hunt.discarded.values()) == len(raw)


def test_the_broken_password_frame_of_the_v13_document() -> None:
    """Its sum is FF56 and should be FED9."""
    pack = ear()
    pack.receive_data(bytes.fromhex("DD 5A 0F 04 56 78 12 34 FF 56 77"))
    assert pack.next_event() is NEED_MORE
    assert pack.noise_bytes == 11
    pack.receive_data(bytes.fromhex("DD 5A 0F 04 56 78 12 34 FE D9 77"))
    assert pack.next_event() == Request(0x0F, True, bytes.fromhex("56781234"))


def test_the_broken_heater_frame_of_the_v13_document() -> None:
    """It says five bytes and has four, so its end is one too near; the next question is heard all the same."""
    pack = ear()
    pack.receive_data(bytes.fromhex("DD 5A FC 05 01 00 00 05 FF 56 77") + read_frame(Register.BASIC))
    assert pack.next_event() == Request(Register.BASIC, False, b"")
    assert pack.noise_bytes == 11


def test_everything_else_on_the_line() -> None:
    """Echo, another register, a wrong sum and noise are counted by kind."""
    asked = read_frame(Register.CELLS)
    hunt = expect(Register.CELLS, asked)
    broken = bytes.fromhex("DD 04 00 02 0F 23 FF 00 77")
    assert hunt.feed(b"\x00" + asked + answer_frame(Register.BASIC, b"1") + broken) is NEED_MORE
    assert hunt.discarded == {NOISE: 1, ECHO: 7, FOREIGN: 8, CRC: 9}
    assert hunt.feed(answer_frame(Register.CELLS, b"\x0f\x23")) == Reply(Status.OK, b"\x0f\x23")


@given(st.integers(0, 255), st.binary(max_size=255), st.integers(0, 255), st.booleans())
def test_every_frame_arrives(register: int, data: bytes, status: int, write: bool) -> None:
    """Whatever is read, written and answered, behind the start of a broken frame."""
    asked = write_frame(register, data) if write else read_frame(register)
    for before in (b"", b"\xdd", b"\xdd\xa5\x03"):
        pack = ear()
        pack.receive_data(before + asked)
        event = pack.next_event()
        assert (pack.silence() if event is NEED_MORE else event) == Request(register, write, data if write else b"")
    assert expect(register).feed(answer_frame(register, data, status)) == Reply(status, data)


@given(st.lists(st.binary(max_size=20) | st.sampled_from([read_frame(3), answer_frame(5, b"1234")]), max_size=8))
def test_noise_never_raises_and_is_all_counted(chunks: list[bytes]) -> None:
    """Both ears survive anything; what the gateway's throws away is counted to the byte, unless it found an answer."""
    hunt, pack = expect(Register.BASIC), ear()
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


@given(st.binary(max_size=60), st.sampled_from(Register))
def test_values_never_raise(data: bytes, register: Register) -> None:
    """Any data are a value or none, and a value has these data."""
    for found in (Basic.decode(data), Counters.decode(data)):
        assert found is None or found.encode() == data
    cells = decode_cells(data)
    assert cells is None or encode_cells(cells) == data
    reading_of(register, data)
