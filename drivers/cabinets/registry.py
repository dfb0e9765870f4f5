"""From what a site's config says of its cabinets to the cabinets themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from drivers.api import Charger, Device, Meter
from drivers.boards.board import Board
from drivers.cabinet import Hazard
from drivers.cabinets.cabinet import BoardCabinet, Common, Slot, Wire
from drivers.cabinets.config import CabinetConfig
from drivers.cabinets.mux import Mux
from drivers.cabinets.packs import PackRounds, SlotPack
from drivers.cabinets.plan import SlotPlan, slot_plans
from drivers.cabinets.refs import Ref, parse
from drivers.line import Line
from drivers.packs.registry import build_pack_link
from protocols.door import Fault, Refused

HAZARDS: Final[Mapping[str, Hazard]] = {
    "smoke": Hazard.SMOKE,
    "fire": Hazard.FIRE,
    "water": Hazard.WATER,
    "heat": Hazard.HEAT,
    "emergency_stop": Hazard.EMERGENCY_STOP,
}


def build_cabinets(
    configs: Sequence[CabinetConfig],
    boards: Mapping[str, Board],
    lines: Mapping[str, Line],
    devices: Mapping[str, Device],
) -> dict[str, BoardCabinet]:
    """By their ids. Nothing is sent until their boards and they themselves run, or are asked.

    Every name is taken to be there and fit its place, as `edge.config_cabinets` has checked. Raises door.Refused with
    every fault of the pack links' options.
    """
    builder = _Builder(boards, lines, devices)
    faults: list[Fault] = []
    cabinets: dict[str, BoardCabinet] = {}
    for index, config in enumerate(configs):
        try:
            cabinets[config.id] = builder.cabinet(config)
        except Refused as refused:
            faults += [
                Fault(f"cabinet[{index}].{fault.path}", fault.expected, fault.got, fault.remedy)
                for fault in refused.faults
            ]
    if faults:
        raise Refused("cabinets", faults)
    return cabinets


class _Builder:
    """Several cabinets may share a line to their packs, and so its relays and its turns."""

    def __init__(self, boards: Mapping[str, Board], lines: Mapping[str, Line], devices: Mapping[str, Device]) -> None:
        self._boards = boards
        self._lines = lines
        self._devices = devices
        self._muxes: dict[str, Mux] = defaultdict(Mux)

    def cabinet(self, config: CabinetConfig) -> BoardCabinet:
        rounds: dict[str, PackRounds] = {}
        slots: list[Slot] = []
        faults: list[Fault] = []
        for plan in slot_plans(config):
            try:
                slots.append(self._slot(config.id, plan))
            except Refused as refused:
                faults += [
                    Fault(f"{plan.path}.pack.{fault.path}", fault.expected, fault.got, fault.remedy)
                    for fault in refused.faults
                ]
        if faults:
            raise Refused(f"cabinet {config.id}", list(dict.fromkeys(faults)))
        for slot, plan in zip(slots, slot_plans(config), strict=True):
            if slot.pack is not None and plan.pack is not None:
                turns = rounds.setdefault(plan.pack.link.line, PackRounds(config.pack_poll_s))
                slot.pack.gone = partial(_gone, slot)
                turns.add(slot.pack, partial(_empty, slot))
                _watch(slot, partial(_moved, slot.pack, turns))
        return BoardCabinet(config.id, slots, self._common(config), list(rounds.values()), config.wake_pulse_s)

    def _slot(self, cabinet: str, plan: SlotPlan) -> Slot:
        lock = self._wire(plan.lock)
        lock.board.wire_lock(plan.lock.channel)
        device = None if plan.meter is None else self._devices[plan.meter]
        return Slot(
            number=plan.number,
            lock=lock,
            feedback=plan.feedback or lock.board.feedback,
            door_open=self._maybe(plan.door_open),
            door_by_lock=plan.door_by_lock,
            present=self._maybe(plan.present),
            charger=self._maybe(plan.charger),
            charge_power_w_max=plan.charge_power_w_max,
            source=device if isinstance(device, Charger) else None,
            meter=device if isinstance(device, Meter) else None,
            pack=self._pack(cabinet, plan),
        )

    def _pack(self, cabinet: str, plan: SlotPlan) -> SlotPack | None:
        pack = plan.pack
        if pack is None:
            return None
        link = build_pack_link(pack.link, self._lines[pack.link.line], f"{cabinet} slot {plan.number}")
        if pack.mux is None:
            return SlotPack(link, line=pack.link.line)
        mux = self._muxes[pack.link.line]
        mux.add(pack.mux, self._boards[pack.mux.board])
        return SlotPack(link, mux, pack.mux, pack.settle_s, pack.link.line)

    def _common(self, config: CabinetConfig) -> Common:
        inputs = config.inputs
        return Common(
            hazards={
                HAZARDS[name]: tuple(self._wire(parse(text)) for text in texts) for name, texts in inputs.hazards()
            },
            mains=None if inputs.mains is None else self._wire(parse(inputs.mains)),
            aux={name: self._wire(parse(text)) for name, text in inputs.aux.items()},
            outputs={name: self._wire(parse(text)) for name, text in config.outputs.all()},
            inner_temp=None if config.inner_temp is None else self._wire(parse(config.inner_temp)),
        )

    def _wire(self, ref: Ref) -> Wire:
        return Wire(self._boards[ref.board], ref)

    def _maybe(self, ref: Ref | None) -> Wire | None:
        return None if ref is None else self._wire(ref)


def _watch(slot: Slot, changed: partial[None]) -> None:
    """Have `changed` called when the door or the presence switch has moved."""
    for wire in (slot.door_open, slot.present):
        if wire is not None:
            wire.board.watch_input(wire.ref.channel, changed)
    if slot.door_by_lock:
        slot.lock.board.watch_contact(slot.lock.ref.channel, changed)


def _moved(pack: SlotPack, turns: PackRounds) -> None:
    pack.moved()
    turns.due_now(pack)


def _gone(slot: Slot) -> bool | None:
    """No pack can answer: the presence switch says that there is none, or the door is open and hands are in there."""
    if slot.door().value:
        return True
    present = None if slot.present is None else slot.present.says()
    return None if present is None else not present


def _empty(slot: Slot) -> bool:
    if slot.present is None:
        return False
    return slot.present.says() is False
