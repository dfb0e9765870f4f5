"""A locker whose door is not felt, whose board has gone, or whose PIN is guessed: no pack gets into other hands."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drivers.errors import DeviceError, DeviceFault, Silent
from edge.ports.ports import PortHall
from edge.till.ask import Refusal, Refused
from edge.till.port.ask import StayAsk
from edge.till.state import OpenStay
from protocols.trade.records import SessionVoided, TechnicianAct
from protocols.trade.records_port import LockerClosed, LockerStored
from tests.edge.ports.port_rig import Rack
from tests.edge.ports.test_lockers import BY_CARD, PANEL, ann, lockers, notices, put_in


def doors_say(rack: Rack, error: DeviceError | None) -> None:
    """No door moves, and the board says this of it."""

    async def open_door(port: int) -> None:
        if error is not None:
            raise error

    rack.steel.open_door = open_door  # type: ignore[method-assign]  # the rig's own, broken


@pytest.mark.parametrize(
    "error",
    [DeviceFault("door 1 is not opened", where="rack"), Silent("no answer", where="rack")],
    ids=["no", "silent"],
)
async def test_a_pack_is_not_out_before_its_board_says_so(tmp_path: Path, error: DeviceError) -> None:
    """Nobody feels the door, and it was not opened: what lies there stays its owner's, and nobody else's."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        rack.steel.feels_doors = False
        rack.steel.tell()
        works = rack.steel.open_door
        doors_say(rack, error)
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(15, 1)
        assert rack.bodies(LockerClosed) == []
        assert "locker-door-stuck" in notices(rack)
        rack.steel.open_door = works  # type: ignore[method-assign]  # a test's stand-in
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerClosed)) == 1


async def test_a_door_that_may_have_opened_unseen(tmp_path: Path) -> None:
    """The answer is lost: what may have been put in is somebody's. A board that says no is believed."""
    async with lockers(tmp_path) as rack:
        rack.steel.feels_doors = False
        rack.steel.tell()
        doors_say(rack, Silent("no answer", where="rack"))
        await rack.hall.lockers.store(ann("rack.1"))
        await rack.wait(15, 1)
        assert "locker-unsure" in notices(rack)
        assert len(rack.bodies(LockerStored)) == 1
        doors_say(rack, DeviceFault("it says no", where="rack"))
        await rack.hall.lockers.store(StayAsk("rack.2", BY_CARD, ann().sources, ann().credential))
        await rack.wait(15, 1)
        assert [body.reason for body in rack.bodies(SessionVoided)] == ["door-stuck"]


async def test_pins_guessed_all_at_once(tmp_path: Path) -> None:
    """Twenty at a time are no more tries than one after the other."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=StayAsk("rack.1", PANEL, ann().sources), pin="4711")
        guesses = (rack.hall.lockers.collect("rack.1", PANEL, pin=f"12{guess:02}") for guess in range(20))
        said = [one.refusal for one in await asyncio.gather(*guesses) if isinstance(one, Refused)]
        assert said.count(Refusal.WRONG_PIN) <= rack.rules.pin_tries
        assert said.count(Refusal.PIN_LOCKED) >= 20 - rack.rules.pin_tries


async def test_the_board_of_a_locker_has_gone_from_the_config(tmp_path: Path) -> None:
    """Its owner is told so, and staff who take the pack out by hand end the stay: the epoch can close again."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        rack.hall = PortHall(rack.site, rack.ports, rack.hall.lockers.desk, {}, rack.clock)
        told = await rack.hall.lockers.collect("rack.1", BY_CARD)
        assert isinstance(told, Refused)
        assert told.refusal is Refusal.PORT_SILENT
        look = await rack.hall.lockers.open_by_staff("rack.1", "wu", "to see", remove=False)
        assert isinstance(look, Refused)
        assert isinstance(await rack.hall.lockers.open_by_staff("rack.1", "wu", "scrapped", remove=True), OpenStay)
        assert [body.outcome for body in rack.bodies(LockerClosed)] == ["removed"]
        assert [act.verb for act in rack.bodies(TechnicianAct)] == ["locker-remove"]
        assert rack.desk.state.ports.stays == {}
        assert rack.lease().held == 0


async def test_a_pack_put_in_while_nobody_saw_the_door(tmp_path: Path) -> None:
    """The line is dark from the door's opening until it is shut again: what is in there is somebody's."""
    async with lockers(tmp_path) as rack:
        await rack.hall.lockers.store(ann("rack.1"))

        doors_say(rack, Silent("no answer", where="rack"))
        rack.steel.answers = False
        await rack.wait(rack.rules.door_s, 1)
        rack.steel.answers = True
        await rack.wait(3, 1)
        assert rack.bodies(SessionVoided) == []
        assert len(rack.bodies(LockerStored)) == 1
        assert "locker-unsure" in notices(rack)
