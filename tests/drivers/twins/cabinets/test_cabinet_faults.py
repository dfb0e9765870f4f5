"""Every fault shows as its witnesses would see it, and as nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from drivers.twins.cabinets import rider_words
from drivers.twins.cabinets.cabinet import Cabinet
from drivers.twins.cabinets.faults import (
    CASES,
    COUNTED,
    ON_THE_WIRE,
    ONCE,
    CabinetFault,
    CabinetFaultKind,
    CabinetFaults,
    parse_cabinet_faults,
)
from drivers.twins.cabinets.front import ShopFront
from drivers.twins.cabinets.ledger import Cause
from drivers.twins.cabinets.pack import Sleep, pack_code
from drivers.twins.cabinets.pack_wire import BAD_CODE, PackWire
from drivers.twins.cabinets.shop import Shop
from drivers.twins.cabinets.wiring import Point
from protocols.fieldbus.pack import Alarm

from .front_rig import driven, says, shop_config, until

K = CabinetFaultKind
CONTACTS = "80 01 00 33 B2"
ALL_SHUT = "80 01 00 0F FF 33 42"
OPEN_3 = "8A 01 03 11 99"


@dataclass(frozen=True)
class Seen:
    """The shop front of twelve slots in the test's own time; pack 1 stands in slot 3, slot 1 is empty."""

    front: ShopFront

    @property
    def shop(self) -> Shop:
        return self.front.shop

    @property
    def cabinet(self) -> Cabinet:
        return self.front.cabinet("c1")

    def contact(self, name: str, slot: int | None = None) -> bool:
        return self.cabinet.senses(Point("c1", name, slot))

    def wire(self, slot: int = 3) -> PackWire:
        found = [party for party in self.front.lines[f"pack-{slot}"].parties if isinstance(party, PackWire)]
        return found[0]

    def code(self) -> str | None:
        pack = self.cabinet.slots[3].pack
        return None if pack is None else self.wire().says(pack).serial

    def soc(self) -> int | None:
        pack = self.cabinet.slots[3].pack
        return None if pack is None else pack.soc_permille

    def sleep(self, slot: int = 3) -> Sleep | None:
        pack = self.cabinet.slots[slot].pack
        return None if pack is None else pack.sleep

    def answer(self) -> str:
        """To the question how full it is."""
        return says(self.front, "pack-3", "46 16 01 0D 01 6B")

    def alarms(self) -> frozenset[Alarm]:
        pack = self.cabinet.slots[3].pack
        assert pack is not None
        return pack.warnings | pack.protections

    def pulse(self) -> list[int]:
        """Open slot 3; the doors that are open a second later."""
        self.cabinet.pulse(3)
        self.shop.run(1_000)
        return self.cabinet.doors_open

    def shut(self) -> bool:
        self.pulse()
        return self.shop.shut("c1", 3, "ann")

    def charge(self) -> tuple[bool, int]:
        """Switch the relay of slot 3 on; whether it is, and what it draws."""
        self.cabinet.drive(Point("c1", "charger", 3), on=True)
        self.shop.run(5_000)
        return self.cabinet.slots[3].relay_on, self.cabinet.slots[3].power_w


def seen(*faults: CabinetFault) -> Seen:
    front = ShopFront(shop_config(), clock=None)
    for fault in faults:
        front.cabinet("c1").faults.set(fault)
    front.shop.run(100)
    return Seen(front)


Look = Callable[[Seen], object]
USUAL_W = 223  # at 95 %, on the tail of a charger of 600 W

# kind: how it is looked at, what is seen with it, what without it
WITNESSES: dict[K, tuple[Look, object, object]] = {
    K.DOOR_STUCK: (Seen.pulse, [], [3]),
    K.WRONG_DOOR: (Seen.pulse, [4], [3]),
    K.NO_LATCH: (Seen.shut, False, True),
    K.POPS: (lambda at: at.cabinet.slots[3].door_open, True, False),
    K.DOOR_SEEN_OPEN: (lambda at: at.contact("door", 3), True, False),
    K.DOOR_SEEN_SHUT: (lambda at: (at.pulse(), at.contact("door", 3)), ([3], False), ([3], True)),
    K.LOCK_SEEN_OPEN: (lambda at: at.cabinet.slots[3].seen_locked, False, True),
    K.LOCK_SEEN_SHUT: (lambda at: (at.pulse(), at.cabinet.slots[3].seen_locked), ([3], True), ([3], False)),
    K.SEEN_GONE: (lambda at: at.contact("presence", 3), False, True),
    K.PACK_ASLEEP: (Seen.sleep, Sleep.DEEP, Sleep.AWAKE),
    K.PACK_DEAD: (Seen.answer, "", "47 16 01 0D 01 5F CB"),
    K.PACK_NONSENSE: (Seen.answer, "47 16 01 0D 01 FF 6B", "47 16 01 0D 01 5F CB"),
    K.OTHER_CODE: (Seen.code, pack_code(9_999), pack_code(1)),
    K.BAD_CODE: (Seen.code, BAD_CODE, pack_code(1)),
    K.NO_CODE: (Seen.code, "UNKNOWN", pack_code(1)),
    K.PACK_HOT: (Seen.alarms, {Alarm.CHARGE_HOT, Alarm.BATTERY_HOT}, set()),
    K.PACK_ILL: (Seen.alarms, {Alarm.CELLS_APART, Alarm.SHORT}, set()),
    K.SWITCH_BROKEN: (lambda at: (at.alarms(), at.charge()), ({Alarm.MOS_FAULT}, (True, 0)), (set(), (True, USUAL_W))),
    K.PACK_EMPTY: (Seen.soc, 0, 950),
    K.SOC_DROPS: (Seen.soc, 650, 950),
    K.PACK_VANISHES: (Seen.soc, None, 950),
    K.RELAY_STUCK_ON: (lambda at: at.cabinet.slots[3].power_w, USUAL_W, 0),
    K.RELAY_STUCK_OFF: (Seen.charge, (False, 0), (True, USUAL_W)),
    K.NO_CURRENT: (Seen.charge, (True, 0), (True, USUAL_W)),
    K.GREEDY: (Seen.charge, (True, 335), (True, USUAL_W)),
    K.CHARGER_ILL: (lambda at: (at.charge(), at.contact("charger-fault")), ((True, 0), True), ((True, USUAL_W), False)),
    K.SMOKE: (lambda at: at.contact("smoke"), True, False),
    K.FIRE: (lambda at: at.contact("fire"), True, False),
    K.WATER: (lambda at: at.contact("water"), True, False),
    K.HEAT: (lambda at: at.contact("heat"), True, False),
    K.EMERGENCY_STOP: (lambda at: at.contact("emergency-stop"), True, False),
    K.MAINS_LOST: (lambda at: (at.contact("mains"), at.charge()), (False, (True, 0)), (True, (True, USUAL_W))),
    K.FAN_DEAD: (lambda at: at.contact("fan-fault"), True, False),
    K.POWER_CUT: (lambda at: (says(at.front, "bus", CONTACTS), at.pulse()), ("", []), (ALL_SHUT, [3])),
    K.SEGMENT_DEAD: (lambda at: says(at.front, "bus", CONTACTS), "", ALL_SHUT),
    K.DEAF: (lambda at: (len(says(at.front, "bus", OPEN_3)), at.cabinet.doors_open), (14, []), (14, [3])),
}  # fmt: skip
IN_A_SLOT = {kind for kind in WITNESSES if kind.value.startswith(("pack", "door", "lock"))} | {
    K.WRONG_DOOR, K.NO_LATCH, K.POPS, K.SEEN_GONE, K.OTHER_CODE, K.BAD_CODE, K.NO_CODE, K.SWITCH_BROKEN, K.SOC_DROPS,
    K.RELAY_STUCK_ON, K.RELAY_STUCK_OFF, K.NO_CURRENT, K.GREEDY, K.CHARGER_ILL,
}  # fmt: skip


@pytest.mark.parametrize("kind", WITNESSES)
def test_a_fault_shows(kind: CabinetFaultKind) -> None:
    """With it, without it, and in slot 3 alone."""
    look, with_it, without = WITNESSES[kind]
    assert look(seen(CabinetFault(kind=kind, slot=3 if kind in IN_A_SLOT else None))) == with_it
    assert look(seen()) == without
    if kind in IN_A_SLOT - {K.CHARGER_ILL}:  # whose contact is of the whole cabinet
        assert look(seen(CabinetFault(kind=kind, slot=9))) == without


def test_a_presence_switch_that_is_stuck_pressed() -> None:
    """F-09, F-26: something is seen where nothing is."""
    assert not seen().contact("presence", 1)
    assert seen(CabinetFault(kind=K.SEEN_THERE, slot=1)).contact("presence", 1)


def test_a_door_that_flickers() -> None:
    """F-61: its sensor turns and turns, and the door rests."""
    at = seen(CabinetFault(kind=K.DOOR_FLICKERS, slot=3, amount=100))
    looks = []
    for _ in range(20):
        looks.append(at.contact("door", 3))
        at.shop.run(50)
    assert looks.count(True) == 10
    assert at.shop.ledger.doors("c1") == []


WIRES: dict[K, Callable[[bytes, bytes], bool]] = {
    K.SILENT: lambda heard, true: heard == b"",
    K.GARBLE: lambda heard, true: sum((a ^ b).bit_count() for a, b in zip(heard, true, strict=True)) == 1,
    K.SHORT: lambda heard, true: heard == true[:-1],
    K.NOISE: lambda heard, true: heard.endswith(true) and len(heard) == len(true) + 3,
    K.ECHO: lambda heard, true: heard == bytes.fromhex(CONTACTS) + true,
    K.CLASH: lambda heard, true: heard != true and all(a & ~b == 0 for a, b in zip(heard, true, strict=True)),
    K.LATE: lambda heard, true: heard == true,
}


@pytest.mark.parametrize("kind", WIRES)
def test_a_wire_fault_spoils_so_many_answers(kind: CabinetFaultKind) -> None:
    """Two of them, of that board alone; then the wire is good again."""
    true = bytes.fromhex(says(seen().front, "bus", CONTACTS))
    at = seen(CabinetFault(kind=kind, board="locks", count=2))
    heard = [bytes.fromhex(says(at.front, "bus", CONTACTS)) for _ in range(3)]
    assert [WIRES[kind](one, true) for one in heard[:2]] == [True, True]
    assert heard[2] == true
    others = seen(CabinetFault(kind=kind, board="di-1"))
    assert bytes.fromhex(says(others.front, "bus", CONTACTS)) == true


def test_late_is_late() -> None:
    """The answer waits so many milliseconds."""
    at = seen(CabinetFault(kind=K.LATE, board="locks", amount=700))
    pieces = at.front.lines["bus"].parties[0].hear(bytes.fromhex(CONTACTS))
    assert sum(piece.after_us for piece in pieces) == 703_000


def test_a_silent_board_does_nothing_either() -> None:
    """F-10: no answer, no pulse; the next question is heard."""
    at = seen(CabinetFault(kind=K.SILENT, board="locks", count=1))
    assert says(at.front, "bus", OPEN_3) == ""
    assert at.shop.ledger.pulses("c1") == []
    assert says(at.front, "bus", OPEN_3) != ""
    assert [pulse.slot for pulse in at.shop.ledger.pulses("c1")] == [3]


def test_the_ledger_tells_a_stray_pulse_from_the_meant_one() -> None:
    """F-12: which door was meant, and which one moved."""
    at = seen(CabinetFault(kind=K.WRONG_DOOR, slot=3, amount=7))
    at.pulse()
    assert [pulse.slot for pulse in at.shop.ledger.pulses("c1")] == [3]
    assert [(move.slot, move.cause) for move in at.shop.ledger.doors("c1")] == [(7, Cause.STRAY_PULSE)]


def test_what_happens_once_happens_once() -> None:
    """To whatever comes there next, if nothing is there yet."""
    at = seen(CabinetFault(kind=K.SOC_DROPS, slot=3, amount=100))
    at.shop.run(10_000)
    assert at.soc() == 850
    waits = seen(CabinetFault(kind=K.PACK_ASLEEP, slot=1))
    assert waits.cabinet.faults.active()
    pack = waits.shop.things[pack_code(50)]
    waits.cabinet.pulse(1)
    waits.shop.put("c1", 1, pack, "ann")
    waits.shop.run(100)
    assert waits.cabinet.faults.active() == ()
    assert waits.sleep(1) is Sleep.DEEP


def test_states_end_by_themselves_or_when_cleared() -> None:
    """`for_ms`, and by kind, slot or board."""
    at = seen(CabinetFault(kind=K.SMOKE, for_ms=1_000), CabinetFault(kind=K.DOOR_SEEN_OPEN, slot=3))
    assert at.contact("smoke")
    at.shop.run(2_000)
    assert not at.contact("smoke")
    assert at.cabinet.faults.clear(slot=4) == []
    assert [fault.kind for fault in at.cabinet.faults.clear(slot=3)] == [K.DOOR_SEEN_OPEN]
    assert not at.contact("door", 3)


def test_chances_come_from_the_seed() -> None:
    """The same seed, the same answers spoilt."""

    def hits(seed: int) -> list[bool]:
        faults = CabinetFaults(seed, [CabinetFault(kind=K.SILENT, board="b", chance_permille=300)])
        return [faults.take(K.SILENT, "b") is not None for _ in range(200)]

    assert hits(1) == hits(1) != hits(2)
    assert 30 <= sum(hits(1)) <= 90


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (CabinetFault(kind=K.SILENT, board="di-1"), "silent"),
        (CabinetFault(kind=K.SMOKE), "hazard"),
        (CabinetFault(kind=K.MAINS_LOST), "mains"),
        (CabinetFault(kind=K.SEEN_GONE, slot=3), "presence"),
        (CabinetFault(kind=K.DOOR_SEEN_OPEN, slot=3), "door"),
        (CabinetFault(kind=K.POPS, slot=3), "door"),
        (CabinetFault(kind=K.PACK_VANISHES, slot=3), "presence"),
        (CabinetFault(kind=K.RELAY_STUCK_ON, slot=3), "nothing"),
        (CabinetFault(kind=K.SEGMENT_DEAD), "silent"),
    ],
    ids=lambda value: value.kind.value if isinstance(value, CabinetFault) else "",
)
async def test_the_driver_sees_it(fault: CabinetFault, word: str) -> None:
    """Over the wires, as a gateway would."""
    async with ShopFront(shop_config()) as front, driven(front) as cabinet:
        front.cabinet("c1").faults.set(fault)

        def witness() -> bool:
            sight = cabinet.sight()
            slot = sight.slots[3]
            return {
                "silent": bool(sight.silent),
                "hazard": bool(sight.hazards),
                "mains": sight.mains is False,
                "presence": slot.present is False,
                "door": slot.door_open is True,
                "nothing": slot.relay_on is False,  # a board reads its own coil, not the contacts behind it
            }[word]

        await until(witness)


def test_every_kind_is_shown_and_has_its_cases() -> None:
    """No fault without a witness, a number, a class."""
    assert WITNESSES.keys() | WIRES.keys() | {K.SEEN_THERE, K.DOOR_FLICKERS} == set(K)
    assert CASES.keys() == set(K)
    assert set(ONCE) | ON_THE_WIRE <= COUNTED
    assert all(re.fullmatch(r"F-\d\d", case) for cases in CASES.values() for case in cases)


def test_the_cases_that_a_shop_front_can_provoke() -> None:
    """Those of the door, the pack, the charger and the wire; others are the gateway's own or the network's."""
    provoked = {case for cases in (*CASES.values(), *rider_words.CASES.values()) for case in cases}
    assert provoked == {
        "F-04", "F-08", "F-09", "F-10", "F-11", "F-12", "F-13", "F-20", "F-21", "F-22", "F-23", "F-24", "F-25", "F-26",
        "F-27", "F-28", "F-30", "F-32", "F-40", "F-41", "F-42", "F-43", "F-50", "F-51", "F-52", "F-53", "F-54", "F-55",
        "F-56", "F-59", "F-60", "F-61", "F-65",
    }  # fmt: skip


def test_faults_in_words() -> None:
    """KIND[@SLOT or BOARD][:COUNT[:AMOUNT]]."""
    assert parse_cabinet_faults(["smoke", "door-stuck@3:2", "garble@locks:*:4"]) == [
        CabinetFault(kind=K.SMOKE),
        CabinetFault(kind=K.DOOR_STUCK, slot=3, count=2),
        CabinetFault(kind=K.GARBLE, board="locks", amount=4),
    ]
    for wrong in ("fog", "door-stuck@3:no", "garble@locks:1:x"):
        with pytest.raises(ValueError, match="door-flickers"):
            parse_cabinet_faults([wrong])
