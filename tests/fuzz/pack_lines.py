"""The lines on which packs answer, for the fuzz: what is heard is read down to what it says of the pack."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeVar

from protocols.fieldbus import (
    daly,
    daly_app,
    daly_modbus,
    greenway,
    greenway_app,
    jbd,
    jbd_app,
    jk4e57,
    jk4e57_app,
    pace,
    pace_app,
    pack_code,
)
from protocols.fieldbus.hunt import Cut, FrameReader, Sound
from protocols.fieldbus.modbus import REGISTERS_READ_MAX
from protocols.fieldbus.pack import PackReading

F = TypeVar("F")

_PACK = PackReading(serial="BT3072020120000200521001", voltage_mv=53_590, current_ma=2080, cells_mv=(3821,) * 14)
_BASIC = jbd_app.Basic(58_880, 0, 7200, 10_000, 0, 0x2078, 0, 0, 0x10, 72, 3, 15, (203, 215), bytes(9))
_ANALOG = pace_app.Analog(1, (3271,) * 16, (2971,) * 6, -2250, 52_429, 48_190, 103_460, 140, 100_000)
_WARN = pace_app.Warn(1, (0,) * 16, (0,) * 6, 0, 0, 0, 0, 0, 0x0E, 0, 0, 0, 0, 0)
_STATE = daly_modbus.State((3281,) * 16, (130,) * 4, 52_500, 29_975, 561, 2, 117_800, 60, 0, True, True, 131)


def _line(cut: Cut[F], read: Callable[[F], object]) -> Callable[[bytes], list[object]]:
    """Everything that a gateway hears in `data`, read."""

    def heard(data: bytes) -> list[object]:
        reader = FrameReader(cut)
        reader.receive_data(data)
        found = []
        while (frame := reader.next_frame(last=True)) is not None:
            if isinstance(frame, Sound):
                found.append(read(frame.frame))
        return found

    return heard


def _greenway(frame: greenway.Frame) -> object:
    return greenway_app.broadcast_of(frame.field, frame.data) or greenway_app.reading_of(frame.field, frame.data)


def _pace(frame: pace.Frame) -> list[object]:
    kinds = pace_app.Analog, pace_app.SeplosAnalog, pace_app.Warn
    return [None if value is None else value.reading() for value in (kind.decode(frame.info) for kind in kinds)]


def _registers(data: bytes) -> object:
    count = min(len(data) // 2, REGISTERS_READ_MAX)
    registers = struct.unpack_from(f">{count}H", data)
    state = daly_modbus.State.decode(registers)
    return daly_modbus.decode_text(registers[:16]), None if state is None else state.reading()


_DALY_CELLS = b"".join(daly.answer_frame(daly_app.Command.CELLS, part) for part in daly_app.numbered(bytes(18), 6))
_JK_ALL = jk4e57.answer_frame(jk4e57.Question(jk4e57.Command.READ_ALL), jk4e57_app.items_of(_PACK).encode())

# (name, decoder, honest bytes). None of them may raise on anything.
PACK_LINES: list[tuple[str, Callable[[bytes], object], tuple[bytes, ...]]] = [
    ("a swap battery's code", lambda data: pack_code.parse(data.decode("utf-8", "surrogateescape")),
     (b"BT3072020120000200521001", b"XC08000000000001", b"UNKNOWN")),
    ("a Greenway pack's line", _line(greenway.cut, _greenway),
     tuple(greenway.answer_frame(field, data) for field in greenway_app.Field
           if (data := greenway_app.data_of(field, _PACK)) is not None)),
    ("a JBD pack's line", _line(jbd.cut, lambda frame: jbd_app.reading_of(frame.first, frame.data)),
     (jbd.answer_frame(jbd_app.Register.BASIC, _BASIC.encode()), jbd.answer_frame(jbd_app.Register.CELLS, bytes(8)))),
    ("a JK pack's line", _line(jk4e57.cut, lambda message: jk4e57_app.reading_of(message.body)), (_JK_ALL,)),
    ("a Daly pack's line",
     _line(daly.cut, lambda frame: daly_app.reading_of(frame.command, frame.data, cells=3, sensors=1)),
     (_DALY_CELLS, daly.answer_frame(daly_app.Command.ALARMS, bytes(range(8))))),
    ("a Daly pack's registers", _registers,
     (b"".join(register.to_bytes(2, "big") for register in _STATE.encode()),)),
    ("a PACE pack's line", _line(pace.cut, _pace),
     (pace.answer_frame(pace.PACE, 1, _ANALOG.encode()), pace.answer_frame(pace.PACE, 1, _WARN.encode()))),
]  # fmt: skip
