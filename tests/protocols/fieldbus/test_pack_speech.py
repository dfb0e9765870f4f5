"""One pack, every protocol: what it knows of itself arrives at the gateway, as far as the protocol can say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus import (
    daly,
    daly_app,
    daly_modbus,
    daly_pack,
    greenway,
    greenway_app,
    jbd,
    jbd_app,
    jk4e57,
    jk4e57_app,
    pace,
    pace_app,
    pace_pack,
)
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.hunt import FrameExpect
from protocols.fieldbus.pack import Alarm, Flow, PackReading


def by_greenway(pack: PackReading) -> PackReading:
    found = PackReading()
    for field in greenway_app.Field:
        data = greenway_app.data_of(field, pack)
        if data is not None:
            answer = greenway.expect(field, len(data)).feed(greenway.answer_frame(field, data))
            assert isinstance(answer, bytes)
            found = (greenway_app.reading_of(field, answer) or PackReading()).over(found)
    return found


def by_jbd(pack: PackReading) -> PackReading:
    found = PackReading()
    for register in jbd_app.Register:
        data = jbd_app.data_of(register, pack)
        if data is not None:
            reply = jbd.expect(register).feed(jbd.answer_frame(register, data))
            assert isinstance(reply, jbd.Reply)
            found = (jbd_app.reading_of(register, reply.data) or PackReading()).over(found)
    return found


def by_jk(pack: PackReading) -> PackReading:
    question = jk4e57.Question(jk4e57.Command.READ_ALL)
    body = jk4e57.expect(question).feed(jk4e57.answer_frame(question, jk4e57_app.items_of(pack).encode()))
    assert isinstance(body, bytes)
    return jk4e57_app.reading_of(body)


def by_daly(pack: PackReading) -> PackReading:
    found, cells, sensors = PackReading(), len(pack.cells_mv or ()), len(pack.temps_dc or ())
    for command in daly_app.Command:
        parts = daly_pack.answers_of(command, pack)
        if parts:
            hunt = daly.DalyExpect(command, daly_app.frames_for(command, cells, sensors))
            answer = [hunt.feed(daly.answer_frame(command, part)) for part in parts][-1]
            assert isinstance(answer, bytes)
            reading = daly_app.reading_of(command, answer, cells=cells, sensors=sensors)
            found = (reading or PackReading()).over(found)
    return found


def by_daly_modbus(pack: PackReading) -> PackReading:
    state = daly_modbus.State.decode(daly_modbus.state_of(pack).encode())
    assert state is not None
    return state.reading()


def by_pace(pack: PackReading) -> PackReading:
    found = PackReading()
    for value in (pace_pack.analog_of(pack, 1), pace_pack.warn_of(pack, 1)):
        reply = pace.expect(pace.PACE, 1).feed(pace.answer_frame(pace.PACE, 1, value.encode()))
        assert isinstance(reply, pace.Reply)
        heard = type(value).decode(reply.info)
        assert heard is not None
        found = heard.reading().over(found)
    return found


def by_seplos(pack: PackReading) -> PackReading:
    heard = pace_app.SeplosAnalog.decode(pace_pack.seplos_analog_of(pack, 1).encode())
    assert heard is not None
    return heard.reading()


# By what, and what it cannot say of PACK.
SPEECHES: list[tuple[Callable[[PackReading], PackReading], set[str]]] = [
    (by_greenway, {"flow", "charge_on", "discharge_on", "case_temp_dc", "temp_dc_max", "hardware"}),
    (by_jbd, {"mos_temp_dc", "case_temp_dc", "flow", "warnings", "soh_permille", "temp_dc_max"}),
    (by_jk, {"maker", "model", "hardware", "made_on", "soh_permille", "remaining_mah", "flow", "temps_dc",
             "temp_dc_max"}),
    (by_daly, {"maker", "model", "hardware", "soh_permille", "full_mah", "mos_temp_dc", "case_temp_dc"}),
    (by_daly_modbus, {"serial", "maker", "model", "hardware", "made_on", "soh_permille", "full_mah", "design_mah",
                      "mos_temp_dc", "case_temp_dc", "temp_dc_max"}),
    (by_pace, {"serial", "maker", "model", "hardware", "made_on", "soc_permille", "soh_permille", "mos_temp_dc",
               "case_temp_dc", "temp_dc_max"}),
    (by_seplos, {"serial", "maker", "model", "hardware", "made_on", "mos_temp_dc", "case_temp_dc", "temp_dc_max",
                 "charge_on", "discharge_on", "flow", "warnings", "protections"}),
]  # fmt: skip

PACK = PackReading(
    serial="BT3072020120000200521001", maker="GREENWAY", model="72V20", hardware="H6", made_on=date(2020, 5, 21),
    voltage_mv=53_500, current_ma=-2300, soc_permille=800, soh_permille=1000, remaining_mah=16_000, full_mah=20_000,
    design_mah=20_000, cycles=21, cells_mv=(3821,) * 14, temps_dc=(280, 290, 300), mos_temp_dc=310, case_temp_dc=250,
    charge_on=True, discharge_on=False, flow=Flow.DISCHARGING, warnings=frozenset(), protections=frozenset(),
)  # fmt: skip


@pytest.mark.parametrize(("speak", "unsaid"), SPEECHES, ids=[row[0].__name__ for row in SPEECHES])
def test_one_pack_in_every_protocol(speak: Callable[[PackReading], PackReading], unsaid: set[str]) -> None:
    """It arrives as it is, but for what the protocol has no words for."""
    heard = speak(PACK)
    differing = {
        field.name
        for field in fields(PACK)
        if getattr(PACK, field.name) is not None and getattr(heard, field.name) != getattr(PACK, field.name)
    }
    assert differing <= unsaid
    assert (heard.voltage_mv, heard.current_ma, heard.charge_permille) == (53_500, -2300, 800)


@pytest.mark.parametrize("speak", [by_greenway, by_jbd, by_jk, by_daly, by_daly_modbus, by_pace])
def test_a_pack_that_protects_itself_says_so(speak: Callable[[PackReading], PackReading]) -> None:
    """In each protocol, be it with its reason or only that it does."""
    ill = replace(PACK, protections=frozenset({Alarm.CELL_HIGH}))
    assert speak(ill).protections in ({Alarm.CELL_HIGH}, {Alarm.OTHER})


def test_a_pack_that_knows_nothing_of_itself() -> None:
    """It stays silent, or says zeros; nothing raises."""
    assert [data for data in (greenway_app.data_of(field, PackReading()) for field in greenway_app.Field) if data] == []
    for speak, _ in SPEECHES[1:]:
        speak(PackReading())


JK_SOC = jk4e57.Question(jk4e57.Command.READ, jk4e57_app.Item.SOC)

# (an ear, the answer that it waits for, a longer frame that is not this one)
LINES: list[tuple[Callable[[], FrameExpect[Any, Any]], bytes, bytes]] = [
    (lambda: greenway.expect(0x0D, 1), greenway.answer_frame(0x0D, b"\x4b"),
     greenway.answer_frame(0x24, bytes(range(32)))),
    (lambda: jbd.expect(4), jbd.answer_frame(4, b"\x0f\x23"), jbd.answer_frame(3, bytes(range(27)))),
    (lambda: jk4e57.expect(JK_SOC), jk4e57.answer_frame(JK_SOC, b"\x85\x32"),
     jk4e57.answer_frame(jk4e57.Question(jk4e57.Command.READ_ALL), bytes(range(60)))),
    (lambda: daly.DalyExpect(0x93), daly.answer_frame(0x93, bytes(8)), daly.answer_frame(0x90, bytes(range(8)))),
    (lambda: pace.expect(pace.PACE, 1), pace.answer_frame(pace.PACE, 1, b"\x02"),
     pace.answer_frame(pace.PACE, 2, bytes(range(60)))),
]  # fmt: skip
LINE_NAMES = ["greenway", "jbd", "jk", "daly", "pace"]


@pytest.mark.parametrize(("listen", "answer", "other"), LINES, ids=LINE_NAMES)
def test_an_answer_behind_a_broken_frame(
    listen: Callable[[], FrameExpect[Any, Any]], answer: bytes, other: bytes
) -> None:
    """Wherever a frame breaks off, the answer behind it is found, at the latest when the gateway gives up."""
    for size in range(len(other)):
        hunt = listen()
        found = hunt.feed(other[:size] + answer)
        assert (hunt.give_up() if found is NEED_MORE else found) is not NEED_MORE
        assert sum(hunt.discarded.values()) == size


@given(st.integers(0, len(LINES) - 1), st.binary(max_size=40))
def test_nothing_is_left_of_what_came_before_a_silence(which: int, noise: bytes) -> None:
    """After it gave up, a gateway's ear hears the next answer at once."""
    listen, answer, _ = LINES[which]
    hunt = listen()
    hunt.feed(noise)
    while hunt.give_up() is not NEED_MORE:
        pass
    before = sum(hunt.discarded.values())
    assert hunt.feed(answer) is not NEED_MORE
    assert sum(hunt.discarded.values()) == before
