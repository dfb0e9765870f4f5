"""A cabinet made of boards: each witness apart, asked together, and never believed beyond its age."""

from __future__ import annotations

import asyncio

import pytest
from board_rig import Bus, Polled, Unit, until
from cabinet_rig import BOARDS, CABINET, SLOTS, pack, rig

from drivers.api import LinkState
from drivers.cabinet import Cabinet, Hazard
from drivers.errors import DeviceFault, Silent, Unsupported
from drivers.registry import DeviceConfig, build_device
from protocols.fieldbus.lock_xor import Open


async def test_what_a_cabinet_is_made_of() -> None:
    """Slots by number, each with its own witnesses."""
    async with rig() as it:
        assert isinstance(it.cabinet, Cabinet)
        assert list(it.cabinet.slots) == list(SLOTS)
        traits = it.cabinet.slots[3]
        assert (traits.door, traits.feedback, traits.presence, traits.pack_link, traits.charger) == (True,) * 5
        assert traits.charge_power_w_max == 600


async def test_a_slot_from_open_to_full() -> None:
    """Opened by its pulse, something put in, closed: door, lock, presence and pack say so one after the other."""
    async with rig() as it, it.running():
        await it.sees(2, door_open=False, locked=True, present=False, pack=None)
        await it.cabinet.open(2)
        it.door(2, True)
        await it.sees(2, door_open=True, locked=False)
        it.put(2, pack("BT106002512NNTB211118183"))
        it.door(2, False)
        await it.sees(2, door_open=False, locked=True, present=True)
        await until(lambda: it.seen(2).pack is not None)
        reading = it.seen(2).pack
        assert reading is not None
        assert reading.serial == "BT106002512NNTB211118183"
        assert it.seen(1).pack is None
    assert it.locks.opened == [2]
    assert it.packs.clashes == 0


@pytest.mark.parametrize(("feedback", "closed"), [("nc", True), ("no", False)])
async def test_feedback_both_ways(feedback: str, closed: bool) -> None:
    """What a contact means is the config's word alone."""
    async with rig(BOARDS.replace('"nc"', f'"{feedback}"')) as it:
        sight = await it.cabinet.read_slot(1)
        assert (it.boards["locks"].contact(1).value, sight.locked) == (True, closed)
        it.locks.set_.discard(1)
        assert (await it.cabinet.read_slot(1)).locked is not closed


async def test_feedback_that_nobody_has_learnt() -> None:
    """Nothing is made of it."""
    async with rig(BOARDS.replace('feedback = "nc"\n', "")) as it:
        assert (await it.cabinet.read_slot(1)).locked is None
        assert it.cabinet.slots[1].feedback is False


async def test_a_slots_own_feedback_goes_before_the_boards() -> None:
    """One lock of another make in a cabinet."""
    async with rig(cabinet=CABINET.replace('lock = "locks/1"', 'lock = "locks/1"\nfeedback = "no"')) as it:
        assert (await it.cabinet.read_slot(1)).locked is False


async def test_the_locks_contact_as_the_only_door_sensor() -> None:
    """Locked is closed; without a word on its polarity there is no door at all."""
    only_lock = CABINET.replace('door_open = "io/1"', 'door_open = "unlocked"')
    async with rig(cabinet=only_lock) as it:
        assert (await it.cabinet.read_slot(1)).door_open is False
        it.locks.set_.discard(1)
        assert (await it.cabinet.read_slot(1)).door_open is True
    async with rig(BOARDS.replace('feedback = "nc"\n', ""), only_lock) as it:
        assert it.cabinet.slots[1].door is False
        assert (await it.cabinet.read_slot(1)).door_open is None


async def test_read_slot_asks_now() -> None:
    """Without any poll, what has just changed is seen."""
    async with rig() as it:
        it.door(4, True)
        it.put(4)
        sight = await it.cabinet.read_slot(4)
        assert (sight.door_open, sight.locked, sight.present) == (True, False, True)
        assert sight.pack is not None
        assert sight.relay_on is False


async def test_what_does_not_answer_is_unknown() -> None:
    """F-60: a dead line takes away what hangs on it, at once where it is asked, and raises nothing."""
    async with rig() as it:
        it.buses["io"].dead = True
        sight = await it.cabinet.read_slot(1)
        assert (sight.door_open, sight.present, sight.relay_on, sight.locked) == (None, None, None, True)
        it.buses["locks"].dead = True
        assert (await it.cabinet.read_slot(1)).locked is None


async def test_a_silent_board_is_named() -> None:
    """And the cabinet goes on with the others."""
    async with rig() as it, it.running():
        it.buses["locks"].dead = True
        await until(lambda: it.cabinet.sight().silent == ("locks",))
        assert it.seen(1).faults == ("locks does not answer",)
        assert it.seen(1).locked is None or it.boards["locks"].contact(1).value
        assert it.cabinet.link().state is LinkState.ONLINE
        assert "locks: no answer" in (it.cabinet.link().error or "")
        it.buses["locks"].dead = False
        await until(lambda: it.cabinet.sight().silent == ())
        await it.sees(1, locked=True, faults=())


async def test_open_tells_when_the_board_did_not_take_it() -> None:
    """F-10: and no second pulse is sent for the one that was asked for."""
    async with rig() as it:
        it.locks.mute = lambda question: isinstance(question, Open)
        with pytest.raises(Silent):
            await it.cabinet.open(1)
    assert it.locks.opened == [1]


async def test_charging_is_read_back() -> None:
    """On and off; a relay that stays is a fault of its own (F-52)."""
    async with rig() as it, it.running():
        await it.cabinet.charge(3, True)
        assert it.seen(3).relay_on is True
        it.io.stuck.add(2)
        with pytest.raises(DeviceFault, match="switched off"):
            await it.cabinet.charge(3, False)
        assert it.seen(3).relay_on is True
        it.io.stuck.clear()
        await it.cabinet.charge(3, False)
        assert it.seen(3).relay_on is False


@pytest.mark.parametrize(
    ("bit", "value", "hazard"),
    [(8, True, Hazard.SMOKE), (9, True, Hazard.SMOKE), (10, False, Hazard.EMERGENCY_STOP)],
)
async def test_hazards_as_they_are_wired(bit: int, value: bool, hazard: Hazard) -> None:
    """F-50, F-65: any of several inputs; and one whose wire breaks when it is pressed."""
    async with rig() as it, it.running():
        await until(lambda: it.cabinet.sight().mains)
        assert it.cabinet.sight().hazards == frozenset()
        it.io.inputs[bit] = value
        await until(lambda: it.cabinet.sight().hazards == {hazard})


async def test_mains_and_other_inputs() -> None:
    """F-08: the mains are there, or gone."""
    async with rig() as it, it.running():
        await until(lambda: it.cabinet.sight().mains is True)
        assert it.cabinet.sight().aux == {"tamper": False}
        it.io.inputs |= {11: False, 12: True}
        await until(lambda: it.cabinet.sight().mains is False and it.cabinet.sight().aux == {"tamper": True})


async def test_what_it_does_not_have() -> None:
    """A slot, a charger, an output that config does not name."""
    bare = CABINET.replace('charger = "io/1"\ncharge_power_w_max = 600\n', "")
    async with rig(cabinet=bare) as it:
        for asked in (it.cabinet.open(5), it.cabinet.charge(1, True), it.cabinet.signal("siren", True)):
            with pytest.raises(Unsupported):
                await asked


async def test_what_a_charger_draws() -> None:
    """By its meter; one that is silent is named, and its power unknown."""
    metered = CABINET.replace("count = 4", "count = 1").replace('charger = "io', 'meter = "m1"\ncharger = "io')
    meter = Unit(9, registers={0x0C: 0x4396, 0x0D: 0, 0x48: 0x4148, 0x49: 0})  # 300 W, 12.5 kWh
    async with Bus([meter]) as bus, bus.line("meters") as line:
        device = build_device(DeviceConfig(id="m1", line="meters", profile="eastron-sdm230", unit=9), line)
        async with rig(cabinet=metered, devices={"m1": device}) as it, Polled(device):
            sight = await it.cabinet.read_slot(1)
            assert (sight.charge_power_w, sight.faults) == (300, ())
            bus.dead = True
            await until(lambda: it.seen(1).charge_power_w is None and "m1 does not answer" in it.seen(1).faults)


async def test_a_signal() -> None:
    """An output of the whole cabinet."""
    slots_1_to_3 = CABINET.replace("count = 4", "count = 3") + '\n[outputs]\nsiren = "io/4"\n'
    async with rig(cabinet=slots_1_to_3) as it:
        await it.cabinet.signal("siren", True)
        assert it.io.coils[3] is True


async def test_points_for_a_technician() -> None:
    """Every witness by its slot and its channel."""
    async with rig() as it:
        it.put(1)
        await it.cabinet.read_slot(1)
        shown = {point.name: (point.value, point.where) for point in it.cabinet.points()}
        assert shown["1 door"] == ("closed", "io/1")
        assert shown["1 lock"] == ("locked", "locks/1")
        assert shown["1 presence"] == ("present", "not io/5")
        assert shown["1 pack"][0].startswith("BT106002512NNTB211118182 75.0 %")
        assert shown["2 pack"] == ("-", "greenway")


async def test_commands_overtake_polls() -> None:
    """A pulse does not wait for rounds of polls on a busy line."""
    async with rig() as it, it.running():
        await asyncio.gather(*(it.cabinet.open(slot) for slot in SLOTS))
    assert sorted(it.locks.opened) == list(SLOTS)
