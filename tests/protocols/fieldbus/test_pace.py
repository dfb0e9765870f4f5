"""PACE, Seplos V2 and their ASCII frames, in both roles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, NEED_MORE, NOISE
from protocols.fieldbus.pace import (
    INFO_MAX,
    PACE,
    PACE_V20,
    SEPLOS,
    Dialect,
    Reply,
    Request,
    Status,
    answer_frame,
    ear,
    expect,
    request_frame,
)
from protocols.fieldbus.pace_app import Analog, Command, SeplosAnalog, SwitchOn, Warn, switch_info
from protocols.fieldbus.pack import Alarm, Flow, PackReading, text

# (dialect, address, command, what is asked with it, question)
QUESTIONS: list[tuple[Dialect, int, int, bytes, bytes]] = [
    (PACE, 1, Command.ANALOG, b"\x01", b"~25014642E00201FD30\r"),
    (PACE, 1, Command.WARN, b"\x01", b"~25014644E00201FD2E\r"),
    (PACE, 1, Command.HARDWARE, b"", b"~250146C10000FD9A\r"),
    (PACE, 1, Command.SERIAL, b"", b"~250146C20000FD99\r"),
    (PACE, 1, Command.PACK_COUNT, b"", b"~250146900000FDA5\r"),
    (PACE, 0, Command.CHARGE_SWITCH, b"\x00", b"~2500469AE00200FD1E\r"),
    (PACE, 0, Command.CHARGE_SWITCH, b"\x01", b"~2500469AE00201FD1D\r"),
    (PACE, 0, Command.DISCHARGE_SWITCH, b"\x00", b"~2500469BE00200FD1D\r"),
    (PACE, 0, Command.DISCHARGE_SWITCH, b"\x01", b"~2500469BE00201FD1C\r"),
    (PACE_V20, 1, Command.ANALOG, b"", b"~20014A420000FDA2\r"),
    (SEPLOS, 0, Command.ANALOG, b"\x00", b"~20004642E00200FD37\r"),
]

ANALOG = Analog(
    pack=1,
    cells_mv=(3271, 3272, 3271, 3271, 3271, 3269, 3270, 3271, 3271, 3270, 3271, 3270, 3270, 3271, 3270, 3271),
    temps_raw=(2971, 2969, 2969, 2969, 2995, 3004), current_ma=-2250, voltage_mv=52_429, remaining_mah=48_190,
    full_mah=103_460, cycles=140, design_mah=100_000,
)  # fmt: skip
WARN = Warn(1, (0,) * 16, (0,) * 6, 0, 0, 0, 0, 0, 0x0E, 0, 0, 0, 0, 0)
SEPLOS_ANALOG = SeplosAnalog(
    pack=1,
    cells_mv=(3287, 3305, 3316, 3286, 3311, 3301, 3297, 3292, 3305, 3312, 3304, 3311, 3306, 3290, 3294, 3288),
    temps_raw=(2982, 2976, 2967, 2982, 2981, 2978), current_ma=-6760, voltage_mv=52_800, remaining_mah=133_900,
    full_mah=170_000, soc_permille=787, rated_mah=180_000, cycles=70, soh_permille=1000, port_mv=52_790,
)  # fmt: skip
HARDWARE = b"P16S100A-1812-1.00 \0"
SERIAL = b"1812101380309D".ljust(40)

# (dialect, address, answer's value, answer)
ANSWERS: list[tuple[Dialect, int, bytes, bytes]] = [
    (PACE, 1, ANALOG.encode(),
     b"~25014600F07A0001100CC70CC80CC70CC70CC70CC50CC60CC70CC70CC60CC70CC60CC60CC70CC60CC7060B9B0B990B990B990BB30BBC"
     b"FF1FCCCD12D303286A008C2710E1E4\r"),
    (PACE, 1, WARN.encode(),
     b"~25014600004C000110000000000000000000000000000000000600000000000000000000000E000000000000EF3A\r"),
    (PACE, 1, HARDWARE, b"~25014600602850313653313030412D313831322D312E30302000F58E\r"),
    (PACE, 1, SERIAL,
     b"~25014600B05031383132313031333830333039442020202020202020202020202020202020202020202020202020EE0F\r"),
    (PACE, 1, b"\x02", b"~25014600E00202FD35\r"),
    (SEPLOS, 0, SEPLOS_ANALOG.encode(),
     b"~2000460010960001100CD70CE90CF40CD60CEF0CE50CE10CDC0CE90CF00CE80CEF0CEA0CDA0CDE0CD8060BA60BA00B970BA60BA50BA2"
     b"FD5C14A0344E0A426803134650004603E8149F0000000000000000DC6C\r"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "address", "command", "info", "wire"), QUESTIONS)
def test_golden_questions(dialect: Dialect, address: int, command: int, info: bytes, wire: bytes) -> None:
    """The gateway says these characters and the pack understands them, another pack does not."""
    assert request_frame(dialect, address, command, info) == wire
    pack, other = ear(dialect, address), ear(dialect, address + 1)
    for hearer in (pack, other):
        hearer.receive_data(wire)
    assert pack.next_event() == Request(command, info)
    assert other.next_event() is NEED_MORE


@pytest.mark.parametrize(("dialect", "address", "info", "wire"), ANSWERS)
def test_golden_answers(dialect: Dialect, address: int, info: bytes, wire: bytes) -> None:
    """The pack says these characters; the gateway finds them whole and one by one."""
    assert answer_frame(dialect, address, info) == wire
    for chunks in ([wire], [wire[at : at + 1] for at in range(len(wire))]):
        hunt = expect(dialect, address)
        assert [hunt.feed(chunk) for chunk in chunks][-1] == Reply(Status.OK, info)
        assert hunt.discarded == {}


def test_what_a_pace_pack_says() -> None:
    """Sixteen cells, discharging with 2.25 A; charge and health are computed."""
    assert Analog.decode(ANALOG.encode()) == ANALOG
    assert Warn.decode(WARN.encode()) == WARN
    both = WARN.reading().over(ANALOG.reading())
    assert both == PackReading(
        voltage_mv=52_429, current_ma=-2250, remaining_mah=48_190, full_mah=103_460, design_mah=100_000, cycles=140,
        cells_mv=ANALOG.cells_mv, temps_dc=(241, 239, 239, 239, 265, 274), charge_on=True, discharge_on=True,
        flow=Flow.DISCHARGING, warnings=frozenset(), protections=frozenset(),
    )  # fmt: skip
    assert (both.charge_permille, both.health_permille, both.contradicts_itself) == (465, 1000, False)
    assert ANALOG.reading(kelvin_dc=2731).hottest_dc == 273
    assert (text(HARDWARE), text(SERIAL)) == ("P16S100A-1812-1.00", "1812101380309D")


def test_what_a_seplos_pack_says() -> None:
    """It says charge and health itself."""
    assert SeplosAnalog.decode(SEPLOS_ANALOG.encode()) == SEPLOS_ANALOG
    assert SEPLOS_ANALOG.reading() == PackReading(
        voltage_mv=52_800, current_ma=-6760, soc_permille=787, soh_permille=1000, remaining_mah=133_900,
        full_mah=170_000, design_mah=180_000, cycles=70, cells_mv=SEPLOS_ANALOG.cells_mv,
        temps_dc=(251, 245, 236, 251, 250, 247),
    )  # fmt: skip


def test_variants_of_the_analog_answer() -> None:
    """User byte 9 brings fourteen bytes more; some packs have eight sensors; what is too short is none."""
    longer = Analog(1, (3300,) * 15, (2980,) * 8, 0, 49_500, 1000, 2000, 1, 0, user=9, tail=bytes(range(14)))
    assert Analog.decode(longer.encode()) == longer
    assert longer.reading().design_mah is None
    info = ANALOG.encode()
    assert all(Analog.decode(info[:size]) is None for size in range(len(info)))
    assert all(SeplosAnalog.decode(info[:size]) is None for size in range(len(info)))
    assert Analog.decode(b"\0\1\xff" + bytes(600)) is None


@pytest.mark.parametrize(
    ("changed", "warnings", "protections", "flow"),
    [
        ({"cell_states": (0, 1), "temp_states": (2,)}, {Alarm.CELL_LOW, Alarm.BATTERY_HOT}, set(), Flow.IDLE),
        ({"cell_states": (0xF0,), "voltage": 2}, {Alarm.OTHER, Alarm.PACK_HIGH}, set(), Flow.IDLE),
        ({"charge_current": 2, "discharge_current": 2, "warn_1": 0x30},
         {Alarm.CHARGE_CURRENT, Alarm.DISCHARGE_CURRENT}, set(), Flow.IDLE),
        ({"warn_2": 0x01}, {Alarm.OTHER}, set(), Flow.IDLE),
        ({"protect_1": 0x41, "protect_2": 0x84, "system": 0x20}, set(),
         {Alarm.CELL_HIGH, Alarm.SHORT, Alarm.CHARGE_COLD}, Flow.CHARGING),
        ({"protect_1": 0x80, "fault": 0x11, "system": 0x38}, set(),
         {Alarm.OTHER, Alarm.MOS_FAULT, Alarm.CELL_FAULT, Alarm.REVERSED}, None),
    ],
)  # fmt: skip
def test_warnings_and_protections(
    changed: dict[str, Any], warnings: set[Alarm], protections: set[Alarm], flow: Flow | None
) -> None:
    """States are warnings, bits are protections; being full is neither; nothing that is set is lost."""
    warn = replace(WARN, **{"cell_states": (), "temp_states": (), "system": 0, **changed})
    assert Warn.decode(warn.encode()) == warn
    reading = warn.reading()
    assert (reading.warnings, reading.protections, reading.flow) == (warnings, protections, flow)


def test_the_switches_are_written_as_configured() -> None:
    """The header of the source contradicts itself about 00 and 01, so there is no default."""
    assert [switch_info(on, SwitchOn.ONE) for on in (True, False)] == [b"\1", b"\0"]
    assert [switch_info(on, SwitchOn.ZERO) for on in (True, False)] == [b"\0", b"\1"]


def test_refusals() -> None:
    """A status instead of OK, with whatever behind it."""
    wire = answer_frame(PACE, 1, status=Status.NOT_DONE)
    assert wire.startswith(b"~250146090000")
    assert expect(PACE, 1).feed(wire) == Reply(Status.NOT_DONE, b"")


def test_everything_else_on_the_line() -> None:
    """Echo, other packs, other dialects, others' questions and noise are no answer."""
    asked = request_frame(PACE, 1, Command.ANALOG, b"\x01")
    foreign = [answer_frame(PACE, 2), answer_frame(SEPLOS, 1), request_frame(PACE, 1, Command.WARN, b"\x01")]
    hunt = expect(PACE, 1, asked)
    assert hunt.feed(b"\xff\r" + asked + b"".join(foreign) + asked[:9]) is NEED_MORE
    assert hunt.feed(answer_frame(PACE, 1, b"\x05")) == Reply(Status.OK, b"\x05")
    assert hunt.discarded == {NOISE: 2 + 9, ECHO: len(asked), FOREIGN: sum(map(len, foreign))}


@pytest.mark.parametrize(
    "wire",
    [
        b"~25014642E00201FD31\r",  # sum
        b"~25014642D00201FD31\r",  # nibble of the length, with a sum that fits
        b"~25014642C00401FD30\r",  # length, with a nibble and a sum that fit
        b"~25014642E0020FD30\r",  # an odd count of characters
        b"~2501\r",
    ],
)
def test_broken_frames(wire: bytes) -> None:
    """Each is thrown away as damaged, and the next one is heard."""
    pack = ear(PACE, 1)
    pack.receive_data(wire)
    assert pack.next_event() is NEED_MORE
    assert pack.noise_bytes == len(wire)
    hunt = expect(PACE, 1)
    assert hunt.feed(wire) is NEED_MORE
    assert hunt.discarded == {CRC: len(wire)}


def test_small_letters_are_taken() -> None:
    """The sum is over the characters as they came."""
    text_ = b"250146c10000"
    wire = b"~" + text_ + b"%04x" % (-sum(text_) & 0xFFFF) + b"\r"
    pack = ear(PACE, 1)
    pack.receive_data(wire)
    assert pack.next_event() == Request(Command.HARDWARE, b"")


def test_limits() -> None:
    """No frame is longer than its length can say; a flood of characters is no frame."""
    longest = answer_frame(PACE, 1, bytes(INFO_MAX))
    assert expect(PACE, 1).feed(longest) == Reply(Status.OK, bytes(INFO_MAX))
    with pytest.raises(ValueError, match="2047"):
        answer_frame(PACE, 1, bytes(INFO_MAX + 1))
    hunt = expect(PACE, 1)
    assert hunt.feed(b"~" + b"0" * 5000) is NEED_MORE
    assert hunt.discarded == {NOISE: 5001}


@given(
    st.builds(Dialect, st.integers(0, 255), st.integers(0, 255)), st.integers(0, 255), st.integers(0, 255),
    st.binary(max_size=80), st.sampled_from(Status),
)  # fmt: skip
def test_every_frame_arrives(dialect: Dialect, address: int, command: int, info: bytes, status: Status) -> None:
    """Whatever is asked and answered, behind the start of a broken frame."""
    for before in (b"", b"~", b"~2501464", b"\r\r"):
        pack = ear(dialect, address)
        pack.receive_data(before + request_frame(dialect, address, command, info))
        assert pack.next_event() == Request(command, info)
        found = expect(dialect, address).feed(before + answer_frame(dialect, address, info, status))
        assert found == Reply(status, info)


@given(
    st.lists(
        st.binary(max_size=20)
        | st.sampled_from([QUESTIONS[0][-1], ANSWERS[1][-1][:40]])
        | st.text("~0F\r", max_size=24).map(str.encode),
        max_size=8,
    )
)
def test_noise_never_raises_and_is_all_counted(chunks: list[bytes]) -> None:
    """Both ears survive anything; what the gateway's throws away is counted to the byte, unless it found an answer."""
    hunt, pack = expect(PACE, 1), ear(PACE, 1)
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


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda data: b"\0\1\2" + data[:4] + b"\1" + data))
def test_values_never_raise(info: bytes) -> None:
    """Any INFO is a value or none, and a value has this INFO, but for the flag before it."""
    for kind in (Analog, SeplosAnalog, Warn):
        value = kind.decode(info)
        if value is not None:
            assert value.encode()[1:] == info[1:]
            value.reading()
