"""Modbus, byte for byte, in both roles."""

from __future__ import annotations

import pytest

from protocols.fieldbus.modbus import (
    NEED_MORE,
    Answer,
    DeviceSide,
    ExceptionCode,
    Expectation,
    Framing,
    Pdu,
    ReadBits,
    ReadRegisters,
    Refused,
    Reply,
    Request,
    Space,
    UnknownRequest,
    WriteCoils,
    WriteRegisters,
    answer_frame,
    exception_frame,
    request_frame,
)

RTU, ASCII, TCP = Framing.RTU, Framing.ASCII, Framing.TCP


def holding(address: int, count: int) -> Pdu:
    return ReadRegisters(Space.HOLDING, address, count)


def input_(address: int, count: int) -> Pdu:
    return ReadRegisters(Space.INPUT, address, count)


def words(text: str) -> Answer:
    return Answer(registers=tuple(int(word, 16) for word in text.split()))


# (what it is, framing, unit, transaction, request value, request bytes, answer bytes, answer value)
GOLDEN: list[tuple[str, Framing, int, int, Pdu, str, str, Reply]] = [
    (
        "Eastron import", RTU, 1, 0, input_(0x48, 2),
        "01 04 00 48 00 02 F1 DD", "01 04 04 44 9A 50 00 F3 5B", words("449A 5000"),
    ),
    (
        "Eastron U/I/P block", RTU, 1, 0, input_(0, 18),
        "01 04 00 00 00 12 70 07",
        "01 04 24 43 66 80 00 43 67 00 00 43 65 80 00 41 20 00 00 41 24 00 00 41 1C 00 00 45 10 10 00 45 13 FC 00"
        " 45 0B DA 00 FA F0",
        words("4366 8000 4367 0000 4365 8000 4120 0000 4124 0000 411C 0000 4510 1000 4513 FC00 450B DA00"),
    ),
    (
        "EM340 P total, negative", RTU, 1, 0, input_(0x28, 2),
        "01 04 00 28 00 02 F1 C3", "01 04 04 C4 7E FF FF A7 1C", words("C47E FFFF"),
    ),
    (
        "iEM3155 import", RTU, 1, 0, holding(0x0C83, 4),
        "01 03 0C 83 00 04 B6 B1", "01 03 08 00 00 00 00 00 BC 61 4E FD 97", words("0 0 BC 614E"),
    ),
    (
        "ABB B23 null", RTU, 1, 0, holding(0x0C83, 4),
        "01 03 0C 83 00 04 B6 B1", "01 03 08 FF FF FF FF FF FF FF FF D4 53", words("FFFF FFFF FFFF FFFF"),
    ),
    (
        "ABB B23 P", RTU, 1, 0, holding(0x5B14, 2),
        "01 03 5B 14 00 02 97 2B", "01 03 04 FF FE 1D C0 A2 D7", words("FFFE 1DC0"),
    ),
    (
        "DTSU666 import", RTU, 1, 0, holding(0x101E, 2),
        "01 03 10 1E 00 02 A0 CD", "01 03 04 42 F6 E0 00 47 B9", words("42F6 E000"),
    ),
    (
        "ORNO import", RTU, 1, 0, holding(0x0108, 2),
        "01 03 01 08 00 02 44 35", "01 03 04 43 A0 C0 00 BF 95", words("43A0 C000"),
    ),
    (
        "Heidelberg 5-12", RTU, 1, 0, input_(5, 8),
        "01 04 00 05 00 08 E1 CD", "01 04 10 00 07 00 A0 00 9E 00 A1 01 45 00 E6 00 E7 00 E5 03 90",
        words("7 A0 9E A1 145 E6 E7 E5"),
    ),
    (
        "Heidelberg total", RTU, 1, 0, input_(0x11, 2),
        "01 04 00 11 00 02 21 CE", "01 04 04 00 74 CB B1 2C DA", words("74 CBB1"),
    ),
    (
        "Heidelberg 16 A", RTU, 1, 0, WriteRegisters(0x0105, (160,), single=True),
        "01 06 01 05 00 A0 98 4F", "01 06 01 05 00 A0 98 4F", Answer(),
    ),
    (
        "ABB Terra 16 A", RTU, 1, 0, WriteRegisters(0x4100, (0, 16000)),
        "01 10 41 00 00 02 04 00 00 3E 80 DE 3C", "01 10 41 00 00 02 55 F4", Answer(),
    ),
    (
        "ABB Terra stop", RTU, 1, 0, WriteRegisters(0x4105, (1,), single=True),
        "01 06 41 05 00 01 4C 37", "01 06 41 05 00 01 4C 37", Answer(),
    ),
    (
        "Mennekes heartbeat", RTU, 0x32, 0, WriteRegisters(0x0D00, (0x55AA,), single=True),
        "32 06 0D 00 55 AA 31 8A", "32 06 0D 00 55 AA 31 8A", Answer(),
    ),
    (
        "Mennekes 10 A", RTU, 0x32, 0, WriteRegisters(0x0302, (0x4120, 0)),
        "32 10 03 02 00 02 04 41 20 00 00 83 34", "32 10 03 02 00 02 E5 8F", Answer(),
    ),
    (
        "Phoenix SER enable", RTU, 1, 0, WriteCoils(0x4E20, (True,), single=True),
        "01 05 4E 20 FF 00 9A D8", "01 05 4E 20 FF 00 9A D8", Answer(),
    ),
    (
        "EKEPC2 state", RTU, 0xFF, 0, holding(0x8D, 1),
        "FF 03 00 8D 00 01 01 FF", "FF 03 02 00 05 51 93", words("5"),
    ),
    (
        "illegal address", RTU, 1, 0, holding(0xFFFF, 1),
        "01 03 FF FF 00 01 84 2E", "01 83 02 C0 F1", Refused(ExceptionCode.ILLEGAL_ADDRESS),
    ),
    (
        "KEBA state", TCP, 0xFF, 1, holding(0x03E8, 2),
        "00 01 00 00 00 06 FF 03 03 E8 00 02", "00 01 00 00 00 07 FF 03 04 00 00 00 03", words("0 3"),
    ),
    (
        "Alfen state", TCP, 1, 2, holding(0x04B1, 5),
        "00 02 00 00 00 06 01 03 04 B1 00 05", "00 02 00 00 00 0D 01 03 0A 43 32 00 00 00 00 00 00 00 00",
        words("4332 0 0 0 0"),
    ),
    (
        "Alfen energy", TCP, 1, 4, holding(0x0176, 4),
        "00 04 00 00 00 06 01 03 01 76 00 04", "00 04 00 00 00 0B 01 03 08 41 67 8C 29 C0 00 00 00",
        words("4167 8C29 C000 0"),
    ),
    (
        "Vestel cable", TCP, 0xFF, 5, input_(0x03EC, 1),
        "00 05 00 00 00 06 FF 04 03 EC 00 01", "00 05 00 00 00 05 FF 04 02 00 02", words("2"),
    ),
    (
        "go-e 16 A", TCP, 1, 7, WriteRegisters(0x012B, (16,)),
        "00 07 00 00 00 09 01 10 01 2B 00 01 02 00 10", "00 07 00 00 00 06 01 10 01 2B 00 01", Answer(),
    ),
    (
        "Schneider P, captured", TCP, 0xFF, 0x0416, holding(0x0BF3, 2),
        "04 16 00 00 00 06 ff 03 0b f3 00 02", "04 16 00 00 00 07 ff 03 04 fe c6 41 2e", words("FEC6 412E"),
    ),
    (  # Modbus over Serial Line V1.02 has the form; the LRC is two's complement of the sum
        "ASCII read", ASCII, 1, 0, holding(0x0108, 2),
        b":010301080002F1\r\n".hex(), b":01030443A0C00055\r\n".hex(), words("43A0 C000"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", GOLDEN, ids=[case[0] for case in GOLDEN])
def test_golden_as_the_gateway(case: tuple[str, Framing, int, int, Pdu, str, str, Reply]) -> None:
    """The request has these bytes, and the answer is understood however it is cut into pieces."""
    _, framing, unit, transaction_id, pdu, asked, answered, reply = case
    assert request_frame(framing, unit, pdu, transaction_id) == bytes.fromhex(asked)
    assert Expectation(framing, unit, pdu, transaction_id).feed(bytes.fromhex(answered)) == reply
    expect = Expectation(framing, unit, pdu, transaction_id)
    *first, last = bytes.fromhex(answered)
    assert all(expect.feed(bytes((byte,))) is NEED_MORE for byte in first)
    assert expect.feed(bytes((last,))) == reply
    assert expect.discarded == {}


@pytest.mark.parametrize("case", GOLDEN, ids=[case[0] for case in GOLDEN])
def test_golden_as_the_device(case: tuple[str, Framing, int, int, Pdu, str, str, Reply]) -> None:
    """The request is understood, and answering it gives these bytes."""
    _, framing, unit, transaction_id, pdu, asked, answered, reply = case
    ear = DeviceSide(framing)
    for byte in bytes.fromhex(asked):
        assert ear.next_event() is NEED_MORE
        ear.receive_data(bytes((byte,)))
    request = ear.next_event()
    assert request == Request(unit, pdu, transaction_id)
    assert isinstance(request, Request)
    if isinstance(reply, Refused):
        assert exception_frame(framing, request, reply.code) == bytes.fromhex(answered)
    else:
        assert answer_frame(framing, request, reply) == bytes.fromhex(answered)
    assert ear.noise_bytes == 0


def test_bits_both_ways() -> None:
    """Bits are packed from the lowest of the first byte on (Application Protocol, clause 6.1)."""
    pdu = ReadBits(Space.COIL, 19, 19)
    bits = tuple(bit == "1" for bit in "1011001111010110101")
    frame = answer_frame(RTU, Request(1, pdu), Answer(bits=bits))
    assert frame[:6].hex(" ") == "01 01 03 cd 6b 05"  # the clause's own example
    assert Expectation(RTU, 1, pdu).feed(frame) == Answer(bits=bits)
    write = WriteCoils(19, (True, False, True, True, False, False, True, True, True, False))
    asked = request_frame(RTU, 1, write)
    assert asked[:-2].hex(" ") == "01 0f 00 13 00 0a 02 cd 01"  # clause 6.11
    ear = DeviceSide(RTU)
    ear.receive_data(asked)
    assert ear.next_event() == Request(1, write)


GOOD = bytes.fromhex("01 03 04 42 F6 E0 00 47 B9")


@pytest.mark.parametrize(
    ("what", "arrives", "discarded"),
    [
        ("bad CRC", GOOD[:-1] + b"\xba", {"crc": 9}),
        ("bit flipped in the value", GOOD[:4] + b"\xf7" + GOOD[5:], {"crc": 9}),
        ("wrong unit", bytes.fromhex("02 03 04 42 F6 E0 00 74 B9"), {"foreign": 9}),
        ("another function", bytes.fromhex("01 04 04 44 9A 50 00 F3 5B"), {"foreign": 9}),
        ("cut short", GOOD[:-2], {"noise": 7}),
        ("one register instead of two", bytes.fromhex("01 03 02 00 05 78 47"), {"length": 7}),
        ("four registers instead of two", bytes.fromhex("01 03 08 00 00 00 00 00 BC 61 4E FD 97"), {"length": 13}),
        ("nothing but our own request", bytes.fromhex("01 03 10 1E 00 02 A0 CD"), {"echo": 8}),
        ("a refusal with a bad CRC", bytes.fromhex("01 83 02 C0 F2"), {"crc": 5}),
        ("noise", b"\x00\x01\x02\x55", {"noise": 4}),
        ("nothing", b"", {}),
    ],
)
def test_what_is_no_answer_is_sorted(what: str, arrives: bytes, discarded: dict[str, int]) -> None:
    """None of this is taken for the two registers that were asked for; giving up says what it was."""
    if what == "wrong unit":
        arrives = answer_frame(RTU, Request(2, holding(0, 2)), words("42F6 E000"))
    if what == "one register instead of two":
        arrives = answer_frame(RTU, Request(1, holding(0, 1)), words("5"))
    expect = Expectation(RTU, 1, holding(0x101E, 2))
    assert expect.feed(arrives) is NEED_MORE
    assert expect.give_up() is NEED_MORE
    assert expect.discarded == discarded
    assert expect.feed(GOOD) == words("42F6 E000"), "it is ready for the same request again"


def test_the_answer_is_found_behind_everything_else() -> None:
    """Echo, noise, a foreign frame and a broken copy come first; each is counted, and the answer is found."""
    expect = Expectation(RTU, 1, holding(0x101E, 2))
    foreign = answer_frame(RTU, Request(7, holding(0, 1)), words("5"))
    before = bytes.fromhex("01 03 10 1E 00 02 A0 CD") + b"\xff\x00" + foreign + GOOD[:-1] + b"\x00"
    assert expect.feed(before) is NEED_MORE
    assert expect.feed(GOOD) == words("42F6 E000")
    assert expect.discarded == {"echo": 8, "noise": 2, "foreign": 7, "crc": 9}


def test_a_refusal_inside_a_value_is_not_taken_out_of_it() -> None:
    """A register block may hold the very bytes of a refusal; the longer frame that began first is waited for."""
    pdu = holding(0, 4)
    frame = answer_frame(RTU, Request(1, pdu), words("0183 02C0 F100 0000"))
    expect = Expectation(RTU, 1, pdu)
    for byte in frame[:-1]:
        assert expect.feed(bytes((byte,))) is NEED_MORE
    assert expect.feed(frame[-1:]) == words("0183 02C0 F100 0000")


def test_a_refusal_behind_a_false_start_is_found_on_giving_up() -> None:
    """Noise that looks like the head of an answer can hide a refusal only until the time-out."""
    expect = Expectation(RTU, 1, holding(0, 20))
    assert expect.feed(bytes.fromhex("01 03 28") + bytes.fromhex("01 83 02 C0 F1")) is NEED_MORE
    assert expect.give_up() == Refused(2)


def test_a_write_is_confirmed_only_by_its_own_mirror() -> None:
    """The answer to a write of another value or address is not this one's."""
    write = WriteRegisters(0x0105, (160,), single=True)
    for other in (WriteRegisters(0x0105, (60,), single=True), WriteRegisters(0x0106, (160,), single=True)):
        expect = Expectation(RTU, 1, write)
        assert expect.feed(request_frame(RTU, 1, other)) is NEED_MORE
        assert expect.give_up() is NEED_MORE
        assert expect.discarded == {"length": 8}


@pytest.mark.parametrize(
    ("arrives", "discarded"),
    [
        ("00 08 00 00 00 07 01 03 04 42 F6 E0 00", {"late": 13}),  # the transaction before
        ("00 09 00 00 00 07 02 03 04 42 F6 E0 00", {"foreign": 13}),
        ("00 09 00 00 00 05 01 03 02 42 F6", {"length": 11}),
        ("00 09 00 00 00 09 01 03 06 42 F6 E0 00 00 00", {"length": 15}),
        ("00 09 00 01 00 07 01 03 04 42 F6 E0 00", {"noise": 13}),  # no Modbus
    ],
)
def test_tcp_takes_only_its_own_transaction(arrives: str, discarded: dict[str, int]) -> None:
    """Number, unit, function and length must all agree."""
    expect = Expectation(TCP, 1, holding(0x101E, 2), 9)
    expect.feed(bytes.fromhex(arrives))
    assert expect.give_up() is NEED_MORE
    assert expect.discarded == discarded
    assert expect.feed(bytes.fromhex("00 09 00 00 00 07 01 03 04 42 F6 E0 00")) == words("42F6 E000")


def test_ascii_broken_and_restarted() -> None:
    """A colon begins a frame, whatever was in progress; a wrong LRC is no frame."""
    expect = Expectation(ASCII, 1, holding(0x0108, 2))
    assert expect.feed(b"xx:0103:01030443A0C00054\r\n:zz\r\n:0103") is NEED_MORE
    assert expect.feed(b"0443A0C00055\r\n") == words("43A0 C000")
    assert expect.discarded == {"noise": 7, "crc": 24}


@pytest.mark.parametrize(
    "pdu",
    [
        holding(0, 0),
        holding(0, 126),
        holding(0x10000, 1),
        ReadRegisters(Space.COIL, 0, 1),
        ReadBits(Space.COIL, 0, 2001),
        WriteRegisters(0, ()),
        WriteRegisters(0, (0,) * 124),
        WriteRegisters(0, (1, 2), single=True),
        WriteRegisters(0, (0x10000,)),
        WriteRegisters(0, (-1,), single=True),
        WriteCoils(0, (True,) * 1969),
    ],
)
def test_what_modbus_cannot_ask_is_refused(pdu: Pdu) -> None:
    """Limits of the Application Protocol are kept before anything is sent."""
    with pytest.raises(ValueError, match=r".+"):
        request_frame(RTU, 1, pdu)


def test_a_device_hears_what_it_does_not_serve() -> None:
    """Another function is handed on as it is; a write whose counts disagree is an UnknownRequest too."""
    ear = DeviceSide(TCP)
    ear.receive_data(bytes.fromhex("00 01 00 00 00 05 01 2B 0E 01 00"))
    ear.receive_data(bytes.fromhex("00 02 00 00 00 09 01 10 00 00 00 02 02 00 10"))
    first, second = ear.next_event(), ear.next_event()
    assert first == Request(1, UnknownRequest(0x2B, b"\x0e\x01\x00"), 1)
    assert isinstance(second, Request)
    assert second.function == 16
    assert isinstance(second.pdu, UnknownRequest)
    assert exception_frame(TCP, second, ExceptionCode.ILLEGAL_VALUE).hex(" ") == "00 02 00 00 00 03 01 90 03"


def test_silence_ends_a_broken_request() -> None:
    """After 3.5 characters of silence a device forgets the half of a frame, so the next one is not spoilt."""
    ear = DeviceSide(RTU)
    ear.receive_data(bytes.fromhex("01 10 41 00 00 02 FF"))
    assert ear.next_event() is NEED_MORE
    ear.silence()
    ear.receive_data(bytes.fromhex("01 06 41 05 00 01 4C 37"))
    assert ear.next_event() == Request(1, WriteRegisters(0x4105, (1,), single=True))
    assert ear.noise_bytes == 7


@pytest.mark.parametrize("answer", [Answer(registers=(1,)), Answer(registers=(1, 2, 3)), Answer()])
def test_a_device_answers_as_many_as_asked(answer: Answer) -> None:
    """A twin cannot answer with another count by mistake."""
    with pytest.raises(ValueError, match="2 registers"):
        answer_frame(RTU, Request(1, holding(0, 2)), answer)
