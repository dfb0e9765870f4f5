"""Packs by the protocols' other role: a `PackReading` is what they know, and each says it in its own words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from pack_rig import Hears, Mouth

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
    slot_vmo,
    slot_vmo_pack,
)
from protocols.fieldbus.modbus import Answer, DeviceSide, Framing, ReadRegisters, Space, WriteRegisters, answer_frame
from protocols.fieldbus.pack import Flow, PackReading

CODE = "BT106002512NNTB211118182"
PACK = PackReading(
    serial=CODE,
    model="72V25Ah",
    made_on=date(2021, 11, 18),
    voltage_mv=62_000,
    current_ma=0,
    soc_permille=750,
    soh_permille=980,
    remaining_mah=18_000,
    full_mah=24_000,
    design_mah=25_000,
    cycles=78,
    cells_mv=(3_875,) * 16,
    temps_dc=(210, 220, 230),
    charge_on=True,
    discharge_on=True,
    flow=Flow.IDLE,
    warnings=frozenset(),
    protections=frozenset(),
)

Knows = Callable[[], PackReading]


def greenway_pack(knows: Knows) -> Mouth:
    def says(request: greenway.Request) -> list[bytes]:
        data = greenway_app.data_of(request.field, knows())
        return [] if data is None else [greenway.answer_frame(request.field, data)]

    return Mouth(greenway.ear(), says)


def jbd_pack(knows: Knows, switched: Callable[[bool], None] = lambda _: None) -> Mouth:
    def says(request: jbd.Request) -> list[bytes]:
        if request.write and request.register == jbd_app.Register.MOS:
            off = jbd_app.is_mos_off(request.data)
            assert off is not None
            switched(not off[0])
            return [jbd.answer_frame(request.register)]
        data = jbd_app.data_of(request.register, knows())
        if data is None:
            return [jbd.answer_frame(request.register, status=jbd.Status.NO_SUCH_REGISTER)]
        return [jbd.answer_frame(request.register, data)]

    return Mouth(jbd.ear(), says)


def jk_pack(knows: Knows, switched: Callable[[bool], None] = lambda _: None) -> Mouth:
    def says(question: jk4e57.Question) -> list[bytes]:
        body = b""
        if question.command is jk4e57.Command.READ_ALL:
            body = jk4e57_app.items_of(knows()).encode()
        elif question.command is jk4e57.Command.WRITE:
            switched(bool(question.data[0]))
            body = bytes((question.item,))
        return [jk4e57.answer_frame(question, body)]

    return Mouth(jk4e57.ear(), says)


def daly_pack_mouth(
    knows: Knows,
    sign: daly_app.Sign = daly_app.Sign.ABOVE_DISCHARGES,
    switched: Callable[[bool], None] = lambda _: None,
) -> Mouth:
    def says(frame: daly.Frame) -> list[bytes]:
        if frame.command == daly_app.Command.CHARGE_SWITCH:
            switched(bool(frame.data[0]))
            return [daly.answer_frame(frame.command, frame.data)]
        return [daly.answer_frame(frame.command, data) for data in daly_pack.answers_of(frame.command, knows(), sign)]

    return Mouth(daly.ear(), says)


def daly_modbus_pack(
    knows: Knows,
    sign: daly_app.Sign = daly_app.Sign.ABOVE_CHARGES,
    switched: Callable[[bool], None] = lambda _: None,
) -> Mouth:
    def says(request: Any) -> list[bytes]:
        match request.pdu:
            case ReadRegisters(address=0, count=count):
                values = daly_modbus.state_of(knows(), sign).encode(count)
            case ReadRegisters(address=daly_modbus.CODE, count=count):
                values = daly_modbus.encode_text(knows().serial or "", count)
            case WriteRegisters(address=daly_modbus.CHARGE_SWITCH, values=(on,)):
                switched(bool(on))
                return [answer_frame(Framing.RTU, request)]
            case _:
                return []
        return [answer_frame(Framing.RTU, request, Answer(registers=tuple(values)))]

    return Mouth(DeviceSide(Framing.RTU), says)


def pace_pack_mouth(knows: Knows, switched: Callable[[bool], None] = lambda _: None) -> Mouth:
    def says(request: pace.Request) -> list[bytes]:
        match request.command:
            case pace_app.Command.ANALOG:
                info = pace_pack.analog_of(knows(), 1).encode()
            case pace_app.Command.WARN:
                info = pace_pack.warn_of(knows(), 1).encode()
            case pace_app.Command.SERIAL:
                info = (knows().serial or "").encode()
            case pace_app.Command.CHARGE_SWITCH:
                switched(bool(request.info[0]))
                info = b""
            case _:
                return [pace.answer_frame(pace.PACE, 1, status=pace.Status.UNKNOWN_COMMAND)]
        return [pace.answer_frame(pace.PACE, 1, info)]

    return Mouth(pace.ear(pace.PACE, 1), says)


def vmo_board(knows: Knows, *, here: bool = True, hears: bool = True) -> Mouth:
    """A slot board with a pack in its slot, or without; it mirrors nothing of a pack that it does not hear."""

    def says(request: Any) -> list[bytes]:
        assert request.pdu == ReadRegisters(Space.HOLDING, 0, slot_vmo.FIRST + 4)
        mirror = slot_vmo_pack.registers_of_pack(knows() if here and hears else PackReading())
        flags = slot_vmo.registers_of(slot_vmo.Slot(here, not hears, False, False))
        return [answer_frame(Framing.RTU, request, Answer(registers=(*mirror, *flags)))]

    return Mouth(DeviceSide(Framing.RTU), says)


PACKS: dict[str, Callable[[Knows], Mouth]] = {
    "greenway": greenway_pack,
    "jbd": jbd_pack,
    "jk4e57": jk_pack,
    "daly": daly_pack_mouth,
    "daly-modbus": daly_modbus_pack,
    "pace": pace_pack_mouth,
}
SWITCHED: dict[str, Callable[..., Mouth]] = {
    "jbd": jbd_pack,
    "jk4e57": jk_pack,
    "daly": daly_pack_mouth,
    "daly-modbus": daly_modbus_pack,
    "pace": pace_pack_mouth,
}


def asleep(pack: Hears, questions: int) -> Hears:
    """A pack that swallows so many questions before it answers."""
    left = questions

    def hears(data: bytes) -> list[bytes]:
        nonlocal left
        if left > 0:
            left -= 1
            return []
        return pack(data)

    return hears


def damaged(pack: Hears, place: int = -2, times: int = 1) -> Hears:
    """Its first answers have a byte that is another on the way."""
    left = times

    def hears(data: bytes) -> list[bytes]:
        nonlocal left
        said = pack(data)
        if said and left > 0:
            left -= 1
            frame = bytearray(said[0])
            frame[place] ^= 0x01
            said[0] = bytes(frame)
        return said

    return hears
