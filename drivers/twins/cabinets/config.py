"""What a file says of a simulated shop front: the gateway's own words for boards and cabinets, and what stands behind.

`[[shop.board]]` and `[[shop.cabinet]]` are what the gateway's config says in `[[board]]` and `[[cabinet]]`, so that one
file makes both ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from drivers.boards.config import WIRES as BOARD_WIRES
from drivers.boards.config import BoardConfig, Feedback
from drivers.cabinets.config import CabinetConfig
from drivers.cabinets.plan import SlotPlan, slot_plans
from drivers.packs.config import Protocol as PackProtocol
from drivers.twins.cabinets.faults import CabinetFault
from drivers.twins.cabinets.reader import data_of
from drivers.twins.cabinets.rider_words import parse_riders
from protocols.door import Fault
from protocols.fieldbus.dlt645 import BAUD as DLT645_BAUD

NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Permille = Annotated[int, msgspec.Meta(ge=0, le=1000)]
Temp = Annotated[int, msgspec.Meta(ge=-400, le=1200)]


class ShopLineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[shop.line]]`: only for a line that is to be other than a pty of its own without a link.

    kind: a paced pty, with a symlink at `link` if given, or an unpaced port, as behind a serial server. baud: None is
    the protocol's. port 0: the system chooses. echo: the gateway hears itself.
    """

    id: str
    kind: Literal["pty", "tcp"] = "pty"
    baud: Annotated[int, msgspec.Meta(ge=300, le=921_600)] | None = None
    link: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    echo: bool = False


class TwinCabinetConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[shop.twin]]`: how a cabinet truly is, where that is not usual.

    spring: doors spring open. feedback: how locks' contacts are truly wired, by board; else as config says, else nc.
    riders: as `parse_riders` reads them. faults: in force from the start. seed: of riders, noise and chances.
    """

    cabinet: str
    spring: bool = True
    pulse_ms: Annotated[int, msgspec.Meta(ge=50, le=10_000)] = 500
    yield_permille: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 920
    standby_w: NotNegative = 15
    feedback: dict[str, Feedback] = {}
    riders: tuple[str, ...] = ()
    faults: tuple[CabinetFault, ...] = ()
    seed: int = 0


class TwinPackConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[shop.pack]]`: one pack, or `count` of them in slots that follow each other.

    number: of the first; its code is `pack_code(number, volts=volts)` unless `code` says another. It is in `slot` of
    `cabinet`, or is with `person`. protocol: None: as its slot's line, or the first line to packs. volts: None: 72, or
    48 with PACE, whose field for it ends at 65 V, and VMO, whose board has place for thirteen cells.
    """

    number: Annotated[int, msgspec.Meta(ge=1, le=9_999)]
    count: Annotated[int, msgspec.Meta(ge=1, le=200)] = 1
    code: Annotated[str, msgspec.Meta(max_length=24)] | None = None
    cabinet: str | None = None
    slot: Annotated[int, msgspec.Meta(ge=1, le=999)] | None = None
    person: str | None = None
    protocol: PackProtocol | None = None
    volts: Literal[48, 60, 72] | None = None
    soc_permille: Permille = 1_000
    soh_permille: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1_000
    cycles: NotNegative = 0
    temp_dc: Temp = 250
    asleep: bool = False

    def __post_init__(self) -> None:
        if (self.cabinet is None) != (self.slot is None) or (self.cabinet is None) == (self.person is None):
            raise ValueError("a pack stands in a `slot` of a `cabinet`, or is with a `person`")
        if self.count > 1 and (self.slot is None or self.code is not None):
            raise ValueError("several packs stand in slots, and have codes by their numbers")


class PersonConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[shop.person]]`: who may come. credential: what they show at the reader; empty: nothing."""

    name: str
    credential: str = ""


class TwinMeterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[shop.meter]]`: a DL/T 645 meter of a cabinet, or of what the charger of `slot` draws."""

    id: str
    cabinet: str
    line: str
    address: Annotated[str, msgspec.Meta(pattern="^[0-9]{12}$", description="twelve digits")]
    slot: Annotated[int, msgspec.Meta(ge=1, le=999)] | None = None


class TwinReaderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[shop.reader]]`: says on a pty what riders show at a cabinet. link: a symlink to it."""

    id: str
    cabinet: str
    kind: Literal["text", "rdm6300"] = "text"
    link: str | None = None


class ShopConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[shop]`. speed: how much faster its time runs than the wall clock's. writes: a file that is (re)written once all
    serves, with the tables of a gateway's config that drives this."""

    board: tuple[BoardConfig, ...] = ()
    cabinet: tuple[CabinetConfig, ...] = ()
    line: tuple[ShopLineConfig, ...] = ()
    twin: tuple[TwinCabinetConfig, ...] = ()
    pack: tuple[TwinPackConfig, ...] = ()
    person: tuple[PersonConfig, ...] = ()
    meter: tuple[TwinMeterConfig, ...] = ()
    reader: tuple[TwinReaderConfig, ...] = ()
    speed: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    writes: str | None = None
    ambient_dc: Temp = 250

    def lines(self) -> dict[str, ShopLineConfig]:
        """Every line that boards and packs name, with its speed."""
        said = {line.id: line for line in self.line}
        bauds: dict[str, int] = {}
        for board in self.board:
            bauds.setdefault(board.line, BOARD_WIRES[board.protocol].bauds[0])
        for meter in self.meter:
            bauds.setdefault(meter.line, DLT645_BAUD)
        for plan in plans(self.cabinet).values():
            if plan.pack is not None:
                bauds.setdefault(plan.pack.link.line, plan.pack.link.wire.bauds[0])
        return {
            name: msgspec.structs.replace(line, baud=line.baud or baud)
            for name, baud in bauds.items()
            for line in [said.get(name, ShopLineConfig(id=name))]
        }

    @property
    def people(self) -> dict[str, str]:
        """Credentials by name."""
        return {person.name: person.credential for person in self.person}


def plans(cabinets: tuple[CabinetConfig, ...]) -> Mapping[tuple[str, int], SlotPlan]:
    """Every slot, by cabinet and number."""
    return {(cabinet.id, plan.number): plan for cabinet in cabinets for plan in slot_plans(cabinet)}


def shop_faults(config: ShopConfig) -> list[Fault]:
    """What does not hold together: names that are not there or twice, places taken twice, unknown words."""
    boards, cabinets = [board.id for board in config.board], [cabinet.id for cabinet in config.cabinet]
    faults = [*_twice("shop.board", boards), *_twice("shop.cabinet", cabinets)]
    faults += _twice("shop.line", [line.id for line in config.line])
    faults += _twice("shop.person", list(config.people))
    slots = plans(config.cabinet)
    for (cabinet, number), plan in slots.items():
        where = f"shop.cabinet {cabinet} slot {number}"
        refs = (plan.lock, plan.door_open, plan.present, plan.charger, None if plan.pack is None else plan.pack.mux)
        faults += [_unknown(where, boards, ref.board) for ref in refs if ref is not None and ref.board not in boards]
    known = config.lines()
    faults += [_unknown(f"shop.line {line.id}", list(known), line.id) for line in config.line if line.id not in known]
    for index, twin in enumerate(config.twin):
        path = f"shop.twin[{index}]"
        if twin.cabinet not in cabinets:
            faults.append(_unknown(f"{path}.cabinet", cabinets, twin.cabinet))
        faults += [_unknown(f"{path}.feedback", boards, board) for board in twin.feedback if board not in boards]
        try:
            parse_riders(twin.riders, twin.seed, twin.cabinet, config.people)
        except ValueError as error:
            faults.append(Fault(f"{path}.riders", "riders", str(error)))
    return [*faults, *_pack_faults(config, slots), *_others(config, slots)]


def _others(config: ShopConfig, slots: Mapping[tuple[str, int], SlotPlan]) -> list[Fault]:
    """Meters and readers."""
    cabinets = [cabinet.id for cabinet in config.cabinet]
    faults = _twice("shop.meter", [meter.id for meter in config.meter])
    faults += _twice("shop.reader", [reader.id for reader in config.reader])
    for index, meter in enumerate(config.meter):
        if meter.cabinet not in cabinets or (meter.slot is not None and (meter.cabinet, meter.slot) not in slots):
            faults.append(Fault(f"shop.meter[{index}]", "a cabinet and a slot that are there", repr(meter.cabinet)))
    for index, reader in enumerate(config.reader):
        if reader.cabinet not in cabinets:
            faults.append(_unknown(f"shop.reader[{index}].cabinet", cabinets, reader.cabinet))
        for name, credential in config.people.items():
            try:
                data_of(reader.kind)(credential)
            except ValueError as error:
                faults.append(Fault(f"shop.person {name}.credential", f"what {reader.id} can say", str(error)))
    return faults


def _pack_faults(config: ShopConfig, slots: Mapping[tuple[str, int], SlotPlan]) -> list[Fault]:
    faults: list[Fault] = []
    taken: set[object] = set()
    for index, pack in enumerate(config.pack):
        path = f"shop.pack[{index}]"
        if pack.person is not None and pack.person not in config.people:
            faults.append(_unknown(f"{path}.person", list(config.people), pack.person))
        for nth in range(pack.count):
            places: list[object] = [pack.number + nth]
            if pack.cabinet is not None and pack.slot is not None:
                places.append((pack.cabinet, pack.slot + nth))
                if (pack.cabinet, pack.slot + nth) not in slots:
                    faults.append(Fault(path, "slots that are there", f"{pack.cabinet}/{pack.slot + nth}"))
            faults += [Fault(path, "a number and a slot of its own", str(place)) for place in places if place in taken]
            taken |= set(places)
    return faults


def _twice(path: str, names: list[str]) -> list[Fault]:
    return [Fault(path, "names that differ", repr(name)) for name in dict.fromkeys(names) if names.count(name) > 1]


def _unknown(path: str, known: list[str], got: str) -> Fault:
    return Fault(path, f"one of {', '.join(known)}", repr(got))
