"""Do the boards and cabinets of a site's config fit each other, their lines and the devices beside them?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from drivers.boards.channels import Channels
from drivers.boards.config import WIRES, BoardConfig
from drivers.boards.config import Wire as BoardWire
from drivers.boards.registry import channels_of, known_feedback
from drivers.cabinets.config import CabinetConfig
from drivers.cabinets.plan import PackPlan, SlotPlan, slot_plans
from drivers.cabinets.refs import Ref, parse
from drivers.line_config import LineConfig
from drivers.packs.config import ADDRESSED, MODBUS
from drivers.packs.config import Wire as PackWire
from drivers.pumps.config import PumpConfig
from drivers.registry import DeviceConfig
from protocols.door import Fault, Refused


def cabinet_faults(
    lines: Sequence[LineConfig],
    devices: Sequence[DeviceConfig],
    pumps: Sequence[PumpConfig],
    boards: Sequence[BoardConfig],
    cabinets: Sequence[CabinetConfig],
) -> list[Fault]:
    """What cannot work. That each id is used once is not looked at here."""
    names = {line.id for line in lines}
    faults: list[Fault] = []
    channels: dict[str, Channels] = {}
    for index, board in enumerate(boards):
        faults += _known(f"board[{index}].line", board.line, names)
        try:
            channels[board.id] = channels_of(board)
        except Refused as refused:
            faults += [
                Fault(f"board[{index}].{fault.path}", fault.expected, fault.got, fault.remedy)
                for fault in refused.faults
            ]
    wiring = _Wiring({board.id: board for board in boards}, channels)
    for index, cabinet in enumerate(cabinets):
        wiring.cabinet(f"cabinet[{index}]", cabinet)
    plans = [
        (f"cabinet[{index}].{plan.path}", plan)
        for index, cabinet in enumerate(cabinets)
        for plan in slot_plans(cabinet)
    ]
    faults += wiring.faults
    device_ids = {device.id for device in devices}
    for path, plan in plans:
        if plan.meter is not None:
            faults += _known(f"{path}.meter", plan.meter, device_ids)
        if plan.pack is not None:
            faults += _known(f"{path}.pack.line", plan.pack.link.line, names)
    faults += _addresses(devices, boards, [(f"{path}.pack.address", plan.pack) for path, plan in plans if plan.pack])
    faults += _packs(plans)
    faults += _protocols(lines, devices, pumps, boards, [plan.pack for _, plan in plans if plan.pack is not None])
    return list(dict.fromkeys(faults))


def cabinet_doubts(
    lines: Sequence[LineConfig], boards: Sequence[BoardConfig], cabinets: Sequence[CabinetConfig], silent_s: int
) -> list[str]:
    """What may work and mostly does not, or is not learnt yet, in words for a person. silent_s: a pack that has said
    nothing for longer is not charged.
    """
    doubts: list[str] = []
    by_line = {line.id: (f"line[{index}]", line) for index, line in enumerate(lines)}
    packs = [plan.pack.link for cabinet in cabinets for plan in slot_plans(cabinet) if plan.pack is not None]
    wires: list[tuple[str, str, BoardWire | PackWire]] = [
        *((board.line, f"{board.protocol} boards", WIRES[board.protocol]) for board in boards),
        *((pack.line, f"{pack.protocol} packs", pack.wire) for pack in packs),
    ]
    for name, what, wire in wires:
        if name not in by_line:
            continue
        path, line = by_line[name]
        misfit = wire.misfit(line)
        if misfit is not None and (line.path is not None or line.framing is not None):
            usual = " or ".join(f"{baud}" for baud in wire.bauds)
            doubts.append(f"{path}: {what} have {usual} baud 8N1, and this line {misfit}")
        modbus = isinstance(wire, BoardWire) and wire.family == "modbus"
        if line.host is not None and line.framing is None and not modbus:
            doubts.append(f'{path}: a serial server with {what} behind it has `framing = "raw"`')
    doubts += [
        f"board `{board.id}`: pulses that the gateway times leave a lock energised when it dies in one; prefer a board "
        'that counts them itself (`pulse = "board"`)'
        for board in boards
        if board.options.get("pulse") == "gateway"
    ]
    doubts += _slot_doubts(boards, cabinets)
    doubts += _slow_packs(cabinets, silent_s)
    return list(dict.fromkeys(doubts))


def _slow_packs(cabinets: Sequence[CabinetConfig], silent_s: int) -> Iterator[str]:
    """Packs that are read so seldom that their chargers go off between two readings."""
    by_line: dict[str, list[PackPlan]] = defaultdict(list)
    for cabinet in cabinets:
        plans = [plan for plan in slot_plans(cabinet) if plan.pack is not None]
        for plan in plans:
            if plan.pack is not None:
                by_line[plan.pack.link.line].append(plan.pack)
        if cabinet.pack_poll_s >= silent_s and any(plan.charger for plan in plans):
            yield (
                f"cabinet `{cabinet.id}`: its packs are read every {cabinet.pack_poll_s:g} s, and one that has said "
                f"nothing for {silent_s} s (`silent_s` of [charging]) is not charged: `pack_poll_s` belongs well below"
            )
    for line, packs in by_line.items():
        each_s = max(pack.link.wire.read_s for pack in packs)
        most = max(1, int(silent_s / each_s) - 1)
        if len(packs) > most:
            yield (
                f"line `{line}`: {len(packs)} packs take about {len(packs) * each_s:.0f} s a round, and one that has "
                f"said nothing for {silent_s} s (`silent_s` of [charging]) is not charged: at most {most} on one line"
            )


def _slot_doubts(boards: Sequence[BoardConfig], cabinets: Sequence[CabinetConfig]) -> Iterator[str]:
    feedback = {board.id: board.feedback or known_feedback(board.protocol) for board in boards}
    channels = {board.id: channels_of(board) for board in boards}
    tells = {name for name, one in channels.items() if one.contacts}
    for cabinet in cabinets:
        plans = list(slot_plans(cabinet))
        unlearnt = [
            plan.number
            for plan in plans
            if plan.lock.board in tells and plan.feedback is None and feedback.get(plan.lock.board) is None
        ]
        if unlearnt:
            yield (
                f"cabinet `{cabinet.id}`: nobody has said how the lock contacts of {_slots(unlearnt)} are wired, so "
                f"nothing is made of them; `fieldtill learn lock-polarity {cabinet.id}` finds out"
            )
        for numbers, words in (
            ([p.number for p in plans if p.door_by_lock], "no door sensor but the lock's contact"),
            (
                [p.number for p in plans if p.present is None],
                "no presence switch, so that only the pack's own word tells whether it is empty",
            ),
            (
                [
                    p.number
                    for p in plans
                    if p.charger and p.meter is None and not channels[p.charger.board].reads_outputs
                ],
                "a charger whose relay nobody can see, and no meter: one that sticks is not found",
            ),
            ([p.number for p in plans if p.pack is None], "no pack link: nobody knows which pack is in it"),
        ):
            if numbers:
                yield f"cabinet `{cabinet.id}`: {_slots(numbers)} {'has' if len(numbers) == 1 else 'have'} {words}"
        numbers = sorted(plan.number for plan in plans)
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"cabinet `{cabinet.id}`: its slots are not numbered from 1 without a gap"
        if not any(refs for _, refs in cabinet.inputs.hazards()):
            yield f"cabinet `{cabinet.id}`: no smoke, fire, water or heat input: nothing would stop its charging"


_ARTICLE: Final = {"lock": "a lock", "input": "an input", "output": "an output", "temperature": "a temperature"}


@dataclass(frozen=True, slots=True)
class _Use:
    path: str
    what: str


class _Wiring:
    """Which channel of which board is used for what, and what is wrong with that."""

    def __init__(self, boards: Mapping[str, BoardConfig], channels: Mapping[str, Channels]) -> None:
        """channels: of the boards whose own options are right."""
        self.faults: list[Fault] = []
        self._boards = boards
        self._channels = channels
        self._used: dict[tuple[str, str, int], _Use] = {}

    def cabinet(self, path: str, cabinet: CabinetConfig) -> None:
        plans = list(slot_plans(cabinet))
        for number, count in Counter(plan.number for plan in plans).items():
            if count > 1:
                self.faults.append(Fault(f"{path}.slot", "each slot's number once", f"slot {number} {count} times"))
        for plan in plans:
            self._slot(f"{path}.{plan.path}", plan)
        for key, text in cabinet.inputs.all():
            self._take(f"{path}.inputs.{key}", "input", parse(text), key, alone=False)
        for name, text in cabinet.outputs.all():
            self._take(f"{path}.outputs.{name}", "output", parse(text), name)
        if cabinet.inner_temp is not None:
            self._take(f"{path}.inner_temp", "temperature", parse(cabinet.inner_temp), "inner_temp", alone=False)

    def _slot(self, path: str, plan: SlotPlan) -> None:
        of = f"of slot {plan.number}"
        self._take(f"{path}.lock", "lock", plan.lock, f"the lock {of}")
        contacts = self._channels[plan.lock.board].contacts if plan.lock.board in self._channels else None
        if plan.door_by_lock and contacts is not None and plan.lock.channel not in contacts:
            got = f'"unlocked", and `{plan.lock.board}` reads no contact of lock {plan.lock.channel}'
            self.faults.append(Fault(f"{path}.door_open", "an input", got))
        if plan.door_open is None and not plan.door_by_lock:
            self.faults.append(
                Fault(
                    f"{path}.door_open",
                    "the input that is true while the door is open",
                    "nothing",
                    'Add it; `door_open = "unlocked"` where only the lock\'s contact tells.',
                )
            )
        mux = None if plan.pack is None else plan.pack.mux
        if mux is not None and mux.board in self._channels and not self._channels[mux.board].reads_outputs:
            expected = "an output of a board that tells how its outputs stand"
            got = f"`{mux.board}`, which does not: two packs may be connected and nobody sees it"
            self.faults.append(Fault(f"{path}.pack.mux", expected, got))
        for key, kind, ref in (
            ("door_open", "input", plan.door_open),
            ("present", "input", plan.present),
            ("charger", "output", plan.charger),
            ("pack.mux", "output", mux),
        ):
            if ref is not None:
                self._take(f"{path}.{key}", kind, ref, f"{key} {of}")

    def _take(self, path: str, kind: str, ref: Ref, what: str, *, alone: bool = True) -> None:
        """alone: nothing else may use it; what the whole cabinet feels may be felt by another cabinet too."""
        if ref.board not in self._boards:
            self.faults += _known(path, ref.board, self._boards)
            return
        channels = self._channels.get(ref.board)
        if channels is None:
            return  # its own fault has been said
        has = {"lock": channels.locks, "input": channels.inputs, "output": channels.outputs}.get(kind, channels.temps)
        if ref.channel not in has:
            expected = f"{kind} {has[0]} to {has[-1]} of `{ref.board}`" if has else f"a board that has {_ARTICLE[kind]}"
            self.faults.append(Fault(path, expected, f"`{ref.board}/{ref.channel}`"))
            return
        place = (ref.board, "relay" if channels.shared and kind in ("lock", "output") else kind, ref.channel)
        if place in self._used:
            got = f"`{ref.board}/{ref.channel}`, which is {self._used[place].what} already"
            self.faults.append(Fault(path, f"{_ARTICLE[kind]} of its own", got))
        if alone:
            self._used.setdefault(place, _Use(path, what))


def _addresses(
    devices: Sequence[DeviceConfig], boards: Sequence[BoardConfig], packs: Sequence[tuple[str, PackPlan]]
) -> Iterator[Fault]:
    """packs: with the place of their address; packs among each other are looked at elsewhere."""
    seen: dict[tuple[str, str, int], str] = {
        (device.line, "modbus", device.unit): device.id for device in devices if device.unit is not None
    }
    for index, board in enumerate(boards):
        place: tuple[str, str, int] = (board.line, WIRES[board.protocol].family, board.address)
        if place in seen:
            got = f"{board.address}, which `{seen[place]}` on `{board.line}` has already"
            yield Fault(f"board[{index}].address", "an address of its own", got)
        seen.setdefault(place, board.id)
    for path, pack in packs:
        place = (pack.link.line, _family(pack), pack.link.pack_address)
        if place in seen:
            got = f"{pack.link.pack_address}, which `{seen[place]}` on `{pack.link.line}` has already"
            yield Fault(path, "an address of its own", got)


def _packs(plans: Sequence[tuple[str, SlotPlan]]) -> Iterator[Fault]:
    """All packs of a fleet have the same address, so each needs a line of its own, or a relay before a shared one."""
    by_line: dict[str, list[tuple[str, PackPlan]]] = defaultdict(list)
    for path, plan in plans:
        if plan.pack is not None:
            by_line[plan.pack.link.line].append((f"{path}.pack", plan.pack))
    for line, packs in by_line.items():
        addresses = [pack.link.pack_address for _, pack in packs if pack.link.protocol in ADDRESSED]
        for path, pack in packs if len(packs) > 1 else ():
            apart = pack.link.protocol in ADDRESSED and addresses.count(pack.link.pack_address) == 1
            if pack.mux is None and not apart:
                yield Fault(
                    f"{path}.mux",
                    f"the output that connects this slot to `{line}`, which {len(packs)} slots share",
                    "nothing",
                    "Two packs would answer at once; or give each slot a line of its own.",
                )


def _protocols(
    lines: Sequence[LineConfig],
    devices: Sequence[DeviceConfig],
    pumps: Sequence[PumpConfig],
    boards: Sequence[BoardConfig],
    packs: Sequence[PackPlan],
) -> Iterator[Fault]:
    """A frame of one protocol may be an order in another; that pumps and devices fit is checked with the pumps."""
    for index, line in enumerate(lines):
        own: set[str] = {WIRES[board.protocol].family for board in boards if board.line == line.id}
        its = [pack for pack in packs if pack.link.line == line.id]
        if not own and its and all(pack.mux is not None for pack in its):
            own = {"packs behind relays"}  # one at a time is connected, and hears its own protocol alone
        own |= {_family(pack) for pack in its if pack.mux is None or "packs behind relays" not in own}
        others: set[str] = {pump.protocol for pump in pumps if pump.line == line.id}
        others |= {"modbus" if one.speaks_modbus else one.profile for one in devices if one.line == line.id}
        if own and len(own | others) > 1:
            got = ", ".join(sorted(own | others))
            yield Fault(f"line `{line.id}`", "one protocol", got, "Give each a line of its own.")
        if "modbus" in own and line.framing == "raw":
            yield Fault(f"line[{index}].framing", "rtu, ascii or tcp for Modbus boards", "raw")


def _family(pack: PackPlan) -> str:
    """Packs that speak Modbus may hang beside Modbus boards."""
    return "modbus" if pack.link.protocol in MODBUS else f"{pack.link.protocol} packs"


def _known(path: str, name: str, names: Mapping[str, object] | set[str]) -> list[Fault]:
    if name in names:
        return []
    return [Fault(path, f"one of {', '.join(sorted(names)) or '(none defined)'}", f"`{name}`")]


def _slots(numbers: Sequence[int]) -> str:
    """Such as `slots 1 to 12`, `slot 3`."""
    if len(numbers) == 1:
        return f"slot {numbers[0]}"
    if list(numbers) == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"slots {numbers[0]} to {numbers[-1]}"
    return f"slots {', '.join(str(number) for number in numbers)}"
