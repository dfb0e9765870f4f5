"""What does a pack say to a question in its protocol? The device roles, over what the pack knows of itself.

A tongue hears bytes and answers from a `Pack`. Whether that is awake, and whether its line is connected to the one who
asks, is not its business: it says which questions there are, and `Asked.answer` is drawn only when somebody listens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

from drivers.packs.config import Protocol as PackProtocol
from drivers.packs.options import DALY_ON, PACE_ON, SIGNS
from drivers.twins.cabinets.pack import Pack, Sleeper
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
from protocols.fieldbus.expect import NeedMore
from protocols.fieldbus.hunt import Ear
from protocols.fieldbus.modbus import (
    Answer,
    DeviceSide,
    ExceptionCode,
    Framing,
    ReadRegisters,
    Request,
    Space,
    WriteRegisters,
    answer_frame,
    exception_frame,
)
from protocols.fieldbus.pack import PackReading

F = TypeVar("F")
R = TypeVar("R")

_PACE_MV_MAX: Final = 0xFFFF  # its field ends there: packs of 72 V have other BMSs


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. answer: from the pack that hears it, and what the pack says; b"" is none. activates: it is a frame
    that wakes packs of this kind."""

    answer: Callable[[Pack, PackReading], bytes]
    activates: bool = False


class Tongue(Protocol):
    """A pack's end of a protocol."""

    def questions(self, data: bytes) -> Iterator[Asked]:
        """In what arrived."""
        ...

    def silence(self) -> None:
        """Half a frame is none."""
        ...


SLEEPERS: Final[Mapping[PackProtocol, Sleeper]] = {
    "greenway": Sleeper(doze_after_ms=3_000, doze_loses=2, deep_after_ms=1_800_000),
    "jbd": Sleeper(doze_after_ms=10_000, doze_loses=1),
    "jk4e57": Sleeper(deep_after_ms=60_000, wakes_by_frame=True),
    "daly": Sleeper(deep_after_ms=3_600_000),
    "daly-modbus": Sleeper(deep_after_ms=3_600_000),
    "pace": Sleeper(),
    "seplos": Sleeper(),
    "vmo": Sleeper(),
}
"""How packs of each protocol sleep: by facts, cabinets 1; times that no source gives are ours."""


class EarTongue(Generic[F, R]):
    """Whatever an ear of the protocol hears is a question."""

    def __init__(
        self,
        ear: Ear[F, R],
        answer: Callable[[R, Pack, PackReading], bytes],
        activates: Callable[[R], bool] = lambda _: False,
    ) -> None:
        """answer: to a question, as of `Asked`. activates: whether it wakes packs of this kind."""
        self._ear = ear
        self._answer = answer
        self._activates = activates

    def silence(self) -> None:
        self._ear.silence()

    def questions(self, data: bytes) -> Iterator[Asked]:
        self._ear.receive_data(data)
        while not isinstance(heard := self._ear.next_event(), NeedMore):
            yield Asked(partial(self._answer, heard), self._activates(heard))


def greenway_tongue(address: int, options: Mapping[str, Any]) -> Tongue:
    """Silent to what it does not have."""

    def answer(request: greenway.Request, pack: Pack, says: PackReading) -> bytes:
        data = greenway_app.data_of(request.field, says)
        if data is None:
            return b""
        data = data.ljust(request.length, b"\0")[: request.length]  # more than the field is the memory behind it
        return greenway.answer_frame(request.field, data, address)

    return EarTongue(greenway.ear(address), answer)


def jbd_tongue(address: int, options: Mapping[str, Any]) -> Tongue:
    """Refuses what it does not have."""
    return EarTongue(jbd.ear(), _jbd_answer)


def _jbd_answer(request: jbd.Request, pack: Pack, says: PackReading) -> bytes:
    register = request.register
    if request.write:
        off = jbd_app.is_mos_off(request.data) if register == jbd_app.Register.MOS else None
        if off is None:
            return jbd.answer_frame(register, status=jbd.Status.NO_SUCH_REGISTER)
        pack.charge_switch, pack.discharge_switch = not off[0], not off[1]
        return jbd.answer_frame(register)
    data = jbd_app.data_of(register, says)
    status = jbd.Status.NO_SUCH_REGISTER if data is None else jbd.Status.OK
    return jbd.answer_frame(register, data or b"", status)


def jk_tongue(address: int, options: Mapping[str, Any]) -> Tongue:
    """Says everything at once, or one item."""
    return EarTongue(jk4e57.ear(), _jk_answer, lambda question: question.command is jk4e57.Command.ACTIVATE)


def _jk_answer(question: jk4e57.Question, pack: Pack, says: PackReading) -> bytes:
    items = jk4e57_app.items_of(says)
    match question.command:
        case jk4e57.Command.READ_ALL:
            return jk4e57.answer_frame(question, items.encode())
        case jk4e57.Command.READ:
            known = items.by_number.get(question.item)
            body = b"" if known is None else jk4e57_app.Items({question.item: known}).encode()
            return jk4e57.answer_frame(question, body)
        case jk4e57.Command.WRITE:
            if question.item == jk4e57_app.Item.CHARGE_SWITCH and len(question.data) == 1:
                pack.charge_switch = question.data[0] == 1
            elif question.item == jk4e57_app.Item.DISCHARGE_SWITCH and len(question.data) == 1:
                pack.discharge_switch = question.data[0] == 1
            return jk4e57.answer_frame(question, bytes((question.item,)))
        case _:
            return jk4e57.answer_frame(question, b"")


def daly_tongue(address: int, options: Mapping[str, Any]) -> Tongue:
    """address: the gateway's own, which names the pack."""
    own = daly.pack_address(address)
    sign, on = SIGNS[options.get("sign", "above-discharges")], DALY_ON[options.get("switch_on", "one")]

    def answer(frame: daly.Frame, pack: Pack, says: PackReading) -> bytes:
        switches = {daly_app.Command.CHARGE_SWITCH: "charge", daly_app.Command.DISCHARGE_SWITCH: "discharge"}
        if frame.command in switches:
            setattr(pack, f"{switches[daly_app.Command(frame.command)]}_switch", frame.data[0] == on.value)
            return daly.answer_frame(frame.command, frame.data, own)
        frames = daly_pack.answers_of(frame.command, says, sign)
        return b"".join(daly.answer_frame(frame.command, data, own) for data in frames)

    return EarTongue(daly.ear(own), answer)


class DalyModbusTongue:
    """Registers; refuses those that it does not have."""

    def __init__(self, address: int, options: Mapping[str, Any]) -> None:
        self._unit = address
        self._side = DeviceSide(Framing.RTU)
        self._sign = SIGNS[options.get("sign", "above-charges")]

    def silence(self) -> None:
        self._side.silence()

    def questions(self, data: bytes) -> Iterator[Asked]:
        self._side.receive_data(data)
        while not isinstance(request := self._side.next_event(), NeedMore):
            if request.unit == self._unit:
                yield Asked(partial(self._answer, request))

    def _answer(self, request: Request, pack: Pack, says: PackReading) -> bytes:
        match request.pdu:
            case ReadRegisters(Space.HOLDING, address, count):
                registers = self._registers(address, count, says)
                if registers is None:
                    return exception_frame(Framing.RTU, request, ExceptionCode.ILLEGAL_ADDRESS)
                return answer_frame(Framing.RTU, request, Answer(registers=registers))
            case WriteRegisters(daly_modbus.CHARGE_SWITCH, (value,)):
                pack.charge_switch = value == 1
            case WriteRegisters(daly_modbus.DISCHARGE_SWITCH, (value,)):
                pack.discharge_switch = value == 1
            case _:
                return exception_frame(Framing.RTU, request, ExceptionCode.ILLEGAL_FUNCTION)
        return answer_frame(Framing.RTU, request)

    def _registers(self, address: int, count: int, says: PackReading) -> tuple[int, ...] | None:
        """None: some of them are not there."""
        texts = {
            daly_modbus.SOFTWARE: (says.software, daly_modbus.TEXT_COUNT),
            daly_modbus.HARDWARE: (says.hardware, daly_modbus.TEXT_COUNT),
            daly_modbus.CODE: (says.serial, daly_modbus.CODE_COUNT),
        }
        if address in texts:
            value, size = texts[address]
            return daly_modbus.encode_text(value or "", size)[:count] if count <= size else None
        if address + count > daly_modbus.STATE_COUNT_LONG:
            return None
        state = daly_modbus.state_of(says, self._sign).encode(daly_modbus.STATE_COUNT_LONG)
        return state[address : address + count]


def pace_tongue(address: int, options: Mapping[str, Any]) -> Tongue:
    """PACE's version 25."""
    dialect = pace.Dialect(pace.PACE.version, int(options.get("kind", pace.PACE.kind)))
    kelvin_dc = int(options.get("kelvin_dc", pace_app.KELVIN_PACE_DC))
    on = PACE_ON[options.get("switch_on") or "one"]

    def info_of(request: pace.Request, pack: Pack, says: PackReading) -> bytes | None:
        """None: it knows no such command."""
        number = request.info[0] if request.info else address
        match request.command:
            case pace_app.Command.ANALOG:
                most = replace(says, voltage_mv=min(says.voltage_mv or 0, _PACE_MV_MAX))
                return pace_pack.analog_of(most, number, kelvin_dc).encode()
            case pace_app.Command.WARN:
                return pace_pack.warn_of(says, number).encode()
            case pace_app.Command.SERIAL:
                return (says.serial or "").encode("ascii").ljust(40)
            case pace_app.Command.HARDWARE:
                return (says.hardware or "").encode("ascii").ljust(20)
            case pace_app.Command.CHARGE_SWITCH if len(request.info) == 1:
                pack.charge_switch = request.info[0] == on.value
                return b""
            case pace_app.Command.DISCHARGE_SWITCH if len(request.info) == 1:
                pack.discharge_switch = request.info[0] == on.value
                return b""
            case _:
                return None

    def answer(request: pace.Request, pack: Pack, says: PackReading) -> bytes:
        info = info_of(request, pack, says)
        status = pace.Status.UNKNOWN_COMMAND if info is None else pace.Status.OK
        return pace.answer_frame(dialect, address, info or b"", status)

    return EarTongue(pace.ear(dialect, address), answer)


def seplos_tongue(address: int, options: Mapping[str, Any]) -> Tongue:
    """Seplos's version 20, of which only what is measured is known."""
    dialect = pace.Dialect(pace.SEPLOS.version, int(options.get("kind", pace.SEPLOS.kind)))
    kelvin_dc = int(options.get("kelvin_dc", pace_app.KELVIN_SEPLOS_DC))

    def answer(request: pace.Request, pack: Pack, says: PackReading) -> bytes:
        if request.command != pace_app.Command.ANALOG:
            return pace.answer_frame(dialect, address, status=pace.Status.UNKNOWN_COMMAND)
        number = request.info[0] if request.info else address
        return pace.answer_frame(dialect, address, pace_pack.seplos_analog_of(says, number, kelvin_dc).encode())

    return EarTongue(pace.ear(dialect, address), answer)


TONGUES: Final[Mapping[PackProtocol, Callable[[int, Mapping[str, Any]], Tongue]]] = {
    "greenway": greenway_tongue,
    "jbd": jbd_tongue,
    "jk4e57": jk_tongue,
    "daly": daly_tongue,
    "daly-modbus": DalyModbusTongue,
    "pace": pace_tongue,
    "seplos": seplos_tongue,
}
"""Of all that are spoken to directly: packs on CAN are heard by their slot's board (`boards.VmoBoard`).

(address, the options of the gateway's pack link, of which those about the packs themselves hold here too)."""
