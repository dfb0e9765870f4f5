"""Simulated lock, relay, slot and temperature boards: the device roles of their protocols over a shop's cabinets.

What no source tells stays unanswered: a board that is asked for it is silent, or refuses by Modbus's own word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from drivers.boards.config import BoardConfig
from drivers.boards.config import Protocol as BoardProtocol
from drivers.boards.relay import RelayOptions
from drivers.boards.thermometer import ThermometerOptions
from drivers.boards.vmo import VmoOptions
from drivers.boards.xor import XorOptions
from drivers.boards.xunming import FIRST_CHARGER_COIL, XunmingOptions
from drivers.twins.cabinets.faults import CabinetFaultKind
from drivers.twins.cabinets.pack import Pack, Sleep
from drivers.twins.cabinets.pack_wire import told_by
from drivers.twins.cabinets.party import Hung
from drivers.twins.cabinets.shop import Shop
from drivers.twins.cabinets.slot import HOLD, Slot
from drivers.twins.cabinets.wiring import BoardWiring
from protocols.fieldbus import lock_kerong, lock_xor, lock_xunming, relay_board, slot_vmo, slot_vmo_pack
from protocols.fieldbus.expect import NeedMore
from protocols.fieldbus.modbus import (
    Answer,
    DeviceSide,
    ExceptionCode,
    Framing,
    ReadBits,
    ReadRegisters,
    Refused,
    Request,
    Space,
    WriteCoils,
    WriteRegisters,
    answer_frame,
    exception_frame,
)

_K = CabinetFaultKind
_ADDRESS: Final = Refused(ExceptionCode.ILLEGAL_ADDRESS)
_FUNCTION: Final = Refused(ExceptionCode.ILLEGAL_FUNCTION)
_CELL_MV_MAX: Final = 6_553  # as much as the fields of a VMO board hold
_VMO_MV_MAX: Final = 131_070


class BoardTwin(Hung):
    """A board: its channels, as wired. restart: what it forgets without power."""

    def __init__(self, shop: Shop, config: BoardConfig, wiring: BoardWiring) -> None:
        """Raises ValueError for a board that no cabinet has anything on."""
        if not wiring.cabinets:
            raise ValueError(f"nothing is wired to board {config.id}")
        super().__init__(shop, shop.cabinets[wiring.cabinets[0]], config.id)
        self.config = config
        self.wiring = wiring
        for name in wiring.cabinets:
            shop.cabinets[name].dark_at.append(self.restart)

    def restart(self) -> None:
        """The power was gone."""

    def pulse(self, lock: int, ms: int | None = None) -> None:
        """Energise the lock on a channel; nothing is wired to many. A deaf board does not."""
        point = self.wiring.locks.get(lock)
        if point is not None and not self.deaf():
            self.shop.cabinets[point.cabinet].pulse(point.slot, ms, via=self.config.id)

    def release(self, lock: int) -> None:
        """The lock is energised no more."""
        if (point := self.wiring.locks.get(lock)) is not None:
            self.shop.cabinets[point.cabinet].slots[point.slot].release()

    def contact(self, lock: int) -> bool:
        """Whether the board sees the feedback contact of a lock as set; one that is not wired is open."""
        point = self.wiring.locks.get(lock)
        if point is None:
            return False
        return self.shop.cabinets[point.cabinet].slots[point.slot].seen_locked == (point.feedback == "nc")

    def sense(self, channel: int) -> bool:
        """Whether an input is closed."""
        point = self.wiring.inputs.get(channel)
        return point is not None and self.shop.cabinets[point.cabinet].senses(point)

    def drive(self, channel: int, on: bool) -> None:
        """Switch what is wired to an output."""
        if (point := self.wiring.outputs.get(channel)) is not None:
            self.shop.cabinets[point.cabinet].drive(point, on)

    def deaf(self) -> bool:
        """Whether an order stays undone, by a fault."""
        return self.faults.take(_K.DEAF, self.target) is not None


class XorBoard(BoardTwin):
    """An 8A/80 board. What its answer to "open" says is the contact right after the pulse began."""

    def __init__(self, shop: Shop, config: BoardConfig, wiring: BoardWiring) -> None:
        super().__init__(shop, config, wiring)
        self._count = config.options_as(XorOptions).locks
        self._ear = lock_xor.board_ear(config.address)

    def silence(self) -> None:
        self._ear.silence()

    def answers(self, data: bytes) -> Iterator[bytes]:
        self._ear.receive_data(data)
        while not isinstance(question := self._ear.next_event(), NeedMore):
            yield b"" if self.mute() else self._answer(question)

    def _answer(self, question: lock_xor.Question) -> bytes:
        locks = range(1, self._count + 1)
        match question:
            case lock_xor.Open(_, lock, hold_s):
                self.pulse(lock, None if hold_s is None else 1_000 * hold_s)
                return lock_xor.answer_one(question, lock, self.contact(lock))
            case lock_xor.Read(_, lock):
                return lock_xor.answer_one(question, lock, self.contact(lock))
            case lock_xor.ReadAll(board):
                return lock_xor.answer_all(board, [self.contact(lock) for lock in locks])
            case lock_xor.OpenAll():
                for lock in locks:
                    self.pulse(lock)
                return b"".join(lock_xor.answer_one(question, lock, self.contact(lock)) for lock in locks)
            case lock_xor.OpenSome(_, some):
                for lock in sorted(some):
                    self.pulse(lock)
            case lock_xor.Hold(_, lock, on):
                self.pulse(lock, HOLD) if on else self.release(lock)
            case lock_xor.AskAddress():
                pass
        return b""


class KerongBoard(BoardTwin):
    """A CU16. Its inputs are its infrared sensors."""

    def __init__(self, shop: Shop, config: BoardConfig, wiring: BoardWiring) -> None:
        super().__init__(shop, config, wiring)
        self._ear = lock_kerong.board_ear(config.address)

    def silence(self) -> None:
        self._ear.silence()

    def answers(self, data: bytes) -> Iterator[bytes]:
        self._ear.receive_data(data)
        while not isinstance(question := self._ear.next_event(), NeedMore):
            yield b"" if self.mute() else self._answer(question)

    def _answer(self, question: lock_kerong.Question) -> bytes:
        if isinstance(question, lock_kerong.Unlock):
            self.pulse(question.lock + 1)
            return b""
        channels = range(1, lock_kerong.LOCKS + 1)
        unlocked = tuple(self.contact(lock) for lock in channels)
        return lock_kerong.answer(
            question.board, lock_kerong.States(unlocked, tuple(self.sense(channel) for channel in channels))
        )


class ModbusBoard(BoardTwin):
    """What boards that speak Modbus share. wildcard: another unit that it answers to."""

    wildcard: int | None = None

    def __init__(self, shop: Shop, config: BoardConfig, wiring: BoardWiring) -> None:
        super().__init__(shop, config, wiring)
        self._side = DeviceSide(Framing.RTU)

    def silence(self) -> None:
        self._side.silence()

    def answers(self, data: bytes) -> Iterator[bytes]:
        self._side.receive_data(data)
        while not isinstance(request := self._side.next_event(), NeedMore):
            mine = request.unit in (self.config.address, self.wildcard)
            if not mine or self.mute():
                yield b""
                continue
            reply = self.reply(request)
            if isinstance(reply, Refused):
                yield exception_frame(Framing.RTU, request, reply.code)
            else:
                yield answer_frame(Framing.RTU, request, reply)

    def reply(self, request: Request) -> Answer | Refused:
        raise NotImplementedError


class XunmingBoard(ModbusBoard):
    """16 locks, or 8 locks and 8 charger relays. It counts a pulse by itself."""

    wildcard = lock_xunming.WILDCARD

    def __init__(self, shop: Shop, config: BoardConfig, wiring: BoardWiring) -> None:
        super().__init__(shop, config, wiring)
        self._options = config.options_as(XunmingOptions)
        self._on = dict.fromkeys(range(1, lock_xunming.BAYS + 1), False)

    def restart(self) -> None:
        self._on = dict.fromkeys(self._on, False)

    def reply(self, request: Request) -> Answer | Refused:
        order = lock_xunming.order_of(request)
        bays = self._options.model == "bays-8"
        if isinstance(order, lock_xunming.Lock) and order.lock <= (lock_xunming.BAYS if bays else lock_xunming.LOCKS):
            self._lock(order)
            return Answer()
        if isinstance(order, lock_xunming.Charger) and bays:
            if not self.deaf():
                self._on[order.bay] = order.on
                self.drive(order.bay, order.on)
            return Answer()
        match request.pdu:
            case ReadBits(Space.COIL, address, count) if bays and self._options.read_back:
                first = address - FIRST_CHARGER_COIL + 1
                if first >= 1 and first + count - 1 <= lock_xunming.BAYS:
                    return Answer(bits=tuple(self._on[bay] for bay in range(first, first + count)))
                return _ADDRESS
            case _:
                return _ADDRESS if order is not None else _FUNCTION

    def _lock(self, order: lock_xunming.Lock) -> None:
        match order.drive:
            case lock_xunming.Lock.OFF:
                self.release(order.lock)
            case lock_xunming.Lock.PULSE:
                self.pulse(order.lock)
            case lock_xunming.Lock.KEEP_ON:
                self.pulse(order.lock, HOLD)
            case ms:
                self.pulse(order.lock, ms)


class RelayBoard(ModbusBoard):
    """A Waveshare-like board: relays that are locks or outputs, and inputs; by coils, or by registers."""

    def __init__(self, shop: Shop, config: BoardConfig, wiring: BoardWiring) -> None:
        super().__init__(shop, config, wiring)
        self._options = config.options_as(RelayOptions)
        self._on = dict.fromkeys(range(1, self._options.relays + 1), False)
        self._order_of: dict[int, int] = {}  # by relay: which order it obeys, so that an old pulse ends no new one

    def restart(self) -> None:
        self._on = dict.fromkeys(self._on, False)
        self._order_of.clear()

    def reply(self, request: Request) -> Answer | Refused:
        order, options, pdu = relay_board.order_of(request), self._options, request.pdu
        if order is not None and options.by == "coils":
            return self._obey(order)
        match pdu:
            case WriteCoils(address, values) if options.by == "coils" and self._has(address, len(values)):
                return self._switch({address + n + 1: on for n, on in enumerate(values)})
            case WriteRegisters(address, values) if options.by == "registers":
                first = address - options.first_register
                if not self._has(first, len(values)):
                    return _ADDRESS
                return self._switch({first + n + 1: value != 0 for n, value in enumerate(values)})
            case ReadBits(Space.COIL, address, count) if options.by == "coils" and self._has(address, count):
                return Answer(bits=self._relays(address, count))
            case ReadRegisters(Space.HOLDING, address, count) if options.by == "registers":
                first = address - options.first_register
                return Answer(registers=self._relays(first, count)) if self._has(first, count) else _ADDRESS
            case ReadBits(Space.DISCRETE, address, count) if options.inputs_by == "discrete":
                inputs = self._inputs(address, count)
                return _ADDRESS if inputs is None else Answer(bits=inputs)
            case ReadRegisters(Space.INPUT, address, count) if options.inputs_by == "input-registers":
                inputs = self._inputs(address, count)
                return _ADDRESS if inputs is None else Answer(registers=inputs)
            case _:
                return _FUNCTION

    def _obey(self, order: relay_board.Order) -> Answer | Refused:
        match order:
            case relay_board.Switch(None, on):
                return self._switch(dict.fromkeys(self._on, on))
            case relay_board.Switch(int(relay), on) if self._has(relay, 1):
                return self._switch({relay + 1: on})
            case relay_board.Pulse(relay, ms, on) if self._has(relay, 1):
                return self._switch({relay + 1: on}, ms)
            case _:
                return _ADDRESS

    def _switch(self, relays: Mapping[int, bool], ms: int | None = None) -> Answer:
        """ms: and back by itself after so long."""
        if self.deaf():
            return Answer()
        for relay, on in relays.items():
            self._put(relay, on)
            if relay in self.wiring.locks:
                self.pulse(relay, HOLD if ms is None else ms) if on else self.release(relay)
            if ms is not None:
                self.shop.later(ms, partial(self._turn_back, relay, self._order_of[relay], not on))
        return Answer()

    def _put(self, relay: int, on: bool) -> None:
        self._on[relay] = on
        self._order_of[relay] = self._order_of.get(relay, 0) + 1
        self.drive(relay, on)

    def _turn_back(self, relay: int, order: int, on: bool) -> None:
        if self._order_of.get(relay) == order:
            self._put(relay, on)

    def _has(self, first: int, count: int) -> bool:
        return first >= 0 and first + count <= self._options.relays

    def _relays(self, first: int, count: int) -> tuple[bool, ...]:
        return tuple(self._on[relay] for relay in range(first + 1, first + count + 1))

    def _inputs(self, address: int, count: int) -> tuple[bool, ...] | None:
        """None: it has not so many."""
        first = address - self._options.first_input
        if first < 0 or first + count > self._options.inputs:
            return None
        return tuple(self.sense(channel) for channel in range(first + 1, first + count + 1))


class VmoBoard(ModbusBoard):
    """A slot board. Without a pack it switches charging off by itself, and the emergency stop overrides it.

    It mirrors what it hears of a pack on CAN; with 76 registers, since no other layout is known. Its slot is that of
    what is wired to it: input 1 or output 1 in config.
    """

    def __init__(self, shop: Shop, config: BoardConfig, wiring: BoardWiring) -> None:
        super().__init__(shop, config, wiring)
        self._first = config.options_as(VmoOptions).first
        self._slot = next((point.slot for point in wiring.points if point.slot is not None), None)
        self._stopped = self._charge = False
        shop.reflexes.append(self._look)

    def restart(self) -> None:
        self._stopped = self._charge = False

    def reply(self, request: Request) -> Answer | Refused:
        order = slot_vmo.order_of(request, self._first)
        if order is not None and not self.deaf():
            match order:
                case slot_vmo.Charge(on):
                    self._charge = on
                case slot_vmo.EmergencyStop(on):
                    self._stopped = on
        self._look()
        match request.pdu:
            case _ if order is not None:
                return Answer()
            case ReadRegisters(Space.HOLDING, address, count) if address + count <= self._first + 4:
                registers = (*self._mirror, *slot_vmo.registers_of(self._flags))
                return Answer(registers=registers[address : address + count])
            case ReadRegisters() | WriteRegisters():
                return _ADDRESS
            case _:
                return _FUNCTION

    @property
    def _heard(self) -> Pack | None:
        """A pack on CAN whose BMS talks."""
        slot = self._bay
        if slot is None or self.faults.on(_K.PACK_DEAD, slot.number) is not None:
            return None
        pack = slot.pack
        return pack if pack is not None and pack.protocol == "vmo" and pack.sleep is Sleep.AWAKE else None

    @property
    def _flags(self) -> slot_vmo.Slot:
        here = self._bay is not None and self._bay.seen_there
        return slot_vmo.Slot(here, here and self._heard is None, self._stopped, self._charge)

    @property
    def _mirror(self) -> tuple[int, ...]:
        pack, slot = self._heard, self._bay
        if pack is None or slot is None or not slot.seen_there or self._first != slot_vmo.FIRST:
            return (0,) * self._first
        says = told_by(pack, self.faults, slot.number)
        cells = tuple(min(mv, _CELL_MV_MAX) for mv in says.cells_mv or ())
        voltage_mv = min(says.voltage_mv or 0, _VMO_MV_MAX)
        return slot_vmo_pack.registers_of_pack(replace(says, voltage_mv=voltage_mv, cells_mv=cells))

    @property
    def _bay(self) -> Slot | None:
        return None if self._slot is None else self.cabinet.slots[self._slot]

    def _look(self) -> None:
        """What it does by itself."""
        slot = self._bay
        self._charge = self._charge and slot is not None and slot.seen_there and not self._stopped
        for channel, point in self.wiring.outputs.items():
            if point.name == "charger":
                self.drive(channel, self._charge)


class Thermometer(ModbusBoard):
    """One register with the warmth of a cabinet."""

    def __init__(self, shop: Shop, config: BoardConfig, wiring: BoardWiring) -> None:
        super().__init__(shop, config, wiring)
        self._options = config.options_as(ThermometerOptions)

    def reply(self, request: Request) -> Answer | Refused:
        match request.pdu:
            case ReadRegisters(space, address, 1) if space is Space(self._options.space):
                if address != self._options.register:
                    return _ADDRESS
                return Answer(registers=(self.cabinet.inner_dc // self._options.step_dc & 0xFFFF,))
            case _:
                return _FUNCTION


BOARDS: Final[Mapping[BoardProtocol, Callable[[Shop, BoardConfig, BoardWiring], BoardTwin]]] = {
    "xor": XorBoard,
    "kerong": KerongBoard,
    "xunming": XunmingBoard,
    "relay": RelayBoard,
    "vmo": VmoBoard,
    "thermometer": Thermometer,
}
"""Raises ValueError for a board that nothing is wired to, door.Refused for options that it does not know."""
