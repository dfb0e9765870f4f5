"""A locker's door stands open for somebody else as its owner asks: no pack is left in a locker that is nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.till.ask import Refusal, Refused
from edge.till.state import OpenStay
from protocols.trade.records_port import LockerClosed
from tests.edge.desk_rig import reopen
from tests.edge.ports.port_rig import Rack
from tests.edge.ports.test_lockers import BY_CARD, DAY_S, ann, lockers, notices, opened, put_in, shut, to_charge


async def staff_look(rack: Rack, seconds: int = 5) -> None:
    outcome = await rack.hall.lockers.open_by_staff("rack.1", "wu", "is it warm?", remove=False)
    assert isinstance(outcome, OpenStay), outcome
    await rack.wait(seconds, 1)


async def owner_asks(rack: Rack) -> None:
    outcome = await rack.hall.lockers.collect("rack.1", BY_CARD)
    assert isinstance(outcome, OpenStay), outcome


async def test_the_owner_asks_while_staff_look(tmp_path: Path) -> None:
    """From home, by phone: staff shut the door upon the pack, which is the owner's still, and costs no late day."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        await staff_look(rack)
        before = opened(rack)
        await owner_asks(rack)
        await rack.wait(20, 1)
        assert rack.bodies(LockerClosed) == []
        shut(rack, plugged=True)
        await rack.wait(20, 1)
        assert opened(rack) == before  # nobody stands there any more
        assert len(rack.desk.state.ports.stays) == 1
        assert notices(rack).count("locker-door-stuck") == 1
        assert "locker-forced" not in notices(rack)
        rack.time += 5 * DAY_S * 1000
        rack.steel.tell()
        await owner_asks(rack)
        await rack.wait(5, 1)
        assert [(body.outcome, body.amount_fen) for body in rack.bodies(LockerClosed)] == [("collected", 0)]


async def test_the_owner_stands_beside_staff(tmp_path: Path) -> None:
    """The door is shut, and opens at once for its owner."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        await staff_look(rack)
        await owner_asks(rack)
        await rack.wait(3, 1)
        before = opened(rack)
        shut(rack, plugged=True)
        await rack.wait(4, 1)
        assert opened(rack) == before + 1
        assert [body.outcome for body in rack.bodies(LockerClosed)] == ["collected"]


async def test_staff_hand_the_pack_out(tmp_path: Path) -> None:
    """They stand before the open door, so their word counts."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        await staff_look(rack)
        await rack.hall.lockers.open_by_staff("rack.1", "wu", "handed over", remove=True)
        await rack.wait(3, 1)
        assert [body.outcome for body in rack.bodies(LockerClosed)] == ["removed"]


async def test_one_after_the_other(tmp_path: Path) -> None:
    """Whoever asks first has the door: staff do not look while it opens to its owner, nor the other way round."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        rack.steel.outlets[1].door_stuck = True
        await owner_asks(rack)
        look = await rack.hall.lockers.open_by_staff("rack.1", "wu", "what is it?", remove=False)
        assert isinstance(look, Refused)
        assert look.refusal is Refusal.PORT_BUSY
        await rack.wait(15, 1)
        await staff_look(rack, 1)
        asked = await rack.hall.lockers.collect("rack.1", BY_CARD)
        assert isinstance(asked, Refused)
        assert asked.refusal is Refusal.PORT_BUSY
        rack.steel.outlets[1].door_stuck = False
        await rack.wait(15, 1)
        shut(rack, plugged=True)
        await rack.wait(2, 1)
        await owner_asks(rack)
        await rack.wait(3, 1)
        assert len(rack.bodies(LockerClosed)) == 1


async def test_an_owner_who_taps_twice(tmp_path: Path) -> None:
    """The second tap comes while the door opens for the first: it is the same wish, and the pack is out."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        rack.steel.outlets[1].door_stuck = True
        await owner_asks(rack)
        await rack.wait(3, 1)
        rack.steel.outlets[1].door_open = True
        rack.steel.tell()
        await owner_asks(rack)
        await rack.wait(3, 1)
        assert [body.outcome for body in rack.bodies(LockerClosed)] == ["collected"]


async def test_a_door_that_was_forced(tmp_path: Path) -> None:
    """It stands open, and its owner asks from far away: what lies there is not taken for collected."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        rack.steel.outlets[1].door_open = True
        rack.steel.tell()
        await rack.wait(3, 1)
        await owner_asks(rack)
        await rack.wait(20, 1)
        assert rack.bodies(LockerClosed) == []
        assert notices(rack)[-2:] == ["locker-forced", "locker-door-stuck"]


@pytest.mark.parametrize("boot", [None, b"boot-002"], ids=["daemon", "power"])
async def test_death_while_the_owner_waits_for_staff(tmp_path: Path, boot: bytes | None) -> None:
    """The door stands open over the restart: stuck, and the stay goes on."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        await staff_look(rack)
        await owner_asks(rack)
        await rack.wait(2, 1)
        await reopen(rack, tmp_path, boot=boot)
        rack.steel.tell()
        await rack.wait(5, 1)
        assert rack.bodies(LockerClosed) == []
        shut(rack, plugged=True)
        await rack.wait(5, 1)
        await owner_asks(rack)
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerClosed)) == 1


async def test_a_door_that_nobody_feels(tmp_path: Path) -> None:
    """Shut after the time that everybody has: until then its owner asks in vain, and not for ever."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        rack.steel.feels_doors = False
        rack.steel.tell()
        await staff_look(rack)
        for _ in range(3):
            await owner_asks(rack)
            await rack.wait(15, 1)
            assert rack.bodies(LockerClosed) == []
        await rack.wait(rack.rules.shut_s, 1)
        await owner_asks(rack)
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerClosed)) == 1


async def test_a_door_that_is_never_seen_shut_as_it_is_filled(tmp_path: Path) -> None:
    """Its switch is broken: once that has been reported, staff take the pack out, and the stay ends."""
    async with lockers(tmp_path) as rack:
        await rack.hall.lockers.store(ann("rack.1"))
        await rack.wait(20, 1)
        early = await rack.hall.lockers.open_by_staff("rack.1", "wu", "in haste", remove=True, by_hand=True)
        assert isinstance(early, Refused)
        assert early.refusal is Refusal.PORT_BUSY
        await rack.wait(rack.rules.shut_s, 1)
        look = await rack.hall.lockers.open_by_staff("rack.1", "wu", "what is it?", remove=True)
        assert isinstance(look, Refused)
        await rack.hall.lockers.open_by_staff("rack.1", "wu", "its switch", remove=True, by_hand=True)
        assert [(body.outcome, body.amount_fen) for body in rack.bodies(LockerClosed)] == [("removed", 0)]
        await rack.wait(5, 1)
        assert (rack.desk.state.ports.stays, rack.lease().held) == ({}, 0)


@pytest.mark.parametrize("silent", [False, True])
async def test_a_door_that_is_never_seen_open(tmp_path: Path, silent: bool) -> None:
    """Its switch is broken, or its board is dead: staff say that they have taken the pack out by hand."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=to_charge())
        await rack.wait(60, 5)
        rack.steel.outlets[1].door_stuck = True
        rack.steel.answers = not silent
        await rack.wait(120, 5)
        for _ in range(2):
            await rack.hall.lockers.open_by_staff("rack.1", "wu", "nobody came", remove=True)
            await rack.wait(20, 1)
            assert rack.bodies(LockerClosed) == []
        await rack.hall.lockers.open_by_staff("rack.1", "wu", "with the key", remove=True, by_hand=True)
        assert [body.outcome for body in rack.bodies(LockerClosed)] == ["removed"]
        rack.steel.answers = True
        await rack.wait(20, 1)
        assert [reason for reason, _ in rack.bills] == ["collected"]
        assert (rack.desk.state.ports.stays, rack.lease().held) == ({}, 0)
