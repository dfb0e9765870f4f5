"""The power fails while a pack charges in its locker: it is charged on when the power is back, within what was paid."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.port_board import PortEnd, PortState, PortStatus
from edge.ports.taps import code
from edge.till.ask import Source
from edge.till.port.again import CUTS_MAX
from edge.till.port.ask import StayAsk
from edge.till.state import OpenStay
from protocols.trade.port_prices import PortPrice, PowerStep
from protocols.trade.records import Origin, Preset
from protocols.trade.records_port import LockerClosed, PortOpened
from tests.edge.desk_rig import reopen
from tests.edge.ports.port_rig import Rack
from tests.edge.ports.test_lockers import ANN, BY_CARD, lockers, notices, opened, put_in, shut, to_charge
from tests.edge.ports.test_lockers_attacked import full_disk


def ask(preset: Preset) -> StayAsk:
    return StayAsk("rack.1", BY_CARD, (Source("", ANN),), ANN, charge=preset)


async def power_fails(rack: Rack) -> None:
    rack.steel.cut_power()
    rack.steel.tell()
    await rack.wait(10, 1)


def runs(rack: Rack) -> bool:
    return rack.steel.outlets[1].running is not None


async def test_half_an_hour_over_a_power_cut(tmp_path: Path) -> None:
    """Twenty minutes before it and ten after it: both bills together are what half an hour costs."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=ask(Preset("time", 1_800)))
        await rack.wait(1_200, 10)
        doors = opened(rack)
        await power_fails(rack)
        assert runs(rack)
        await rack.wait(640, 10)
        assert [reason for reason, _ in rack.bills] == ["power-loss", "limit"]
        assert sum(fen for _, fen in rack.bills) == 50
        assert opened(rack) == doors
        assert "locker-not-charging" not in notices(rack)
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(5, 1)
        assert rack.lease().held == 0


async def test_a_pack_that_is_charged_until_it_is_full(tmp_path: Path) -> None:
    """The second session holds what the first has not used, and not a fen more."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=to_charge())
        await rack.wait(1_800, 10)
        await power_fails(rack)
        first, second = rack.bodies(PortOpened)
        assert (first.prepaid_fen, second.prepaid_fen) == (500, 500 - rack.bills[0][1])
        rack.steel.outlets[1].load_w = 0
        await rack.wait(20)
        assert [reason for reason, _ in rack.bills][:1] == ["power-loss"]
        assert not runs(rack)


async def test_a_code_that_was_paid_beforehand(tmp_path: Path) -> None:
    """What it brought stays here meanwhile, headquarters or not, and goes back at the end."""
    async with lockers(tmp_path) as rack:
        await rack.grant(700, "guest-1", "0B0B0B0B")
        rack.site.is_online = lambda: False
        stay = await code(rack.hall, "rack.1", Preset("money", 100), Origin("qr", b"", 1, ""), Source("guest-1"))
        assert isinstance(stay, OpenStay)
        await rack.wait(3, 1)
        shut(rack, plugged=True)
        await rack.wait(600, 5)
        await power_fails(rack)
        assert runs(rack)
        await rack.wait(3_600, 20)
        assert [reason for reason, _ in rack.bills] == ["power-loss", "limit"]
        assert sum(fen for _, fen in rack.bills) in (99, 100)
        rack.steel.outlets[1].plugged = False
        await rack.hall.lockers.collect("rack.1", Origin("qr", b"", 2, ""), account="guest-1")
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerClosed)) == 1
        lease = rack.lease("guest-1")
        assert (lease.rights, lease.held, lease.used + lease.returned) == (0, 0, 700)


@pytest.mark.parametrize("boot", [None, b"boot-002"], ids=["daemon", "power"])
async def test_the_box_is_dead_meanwhile(tmp_path: Path, boot: bytes | None) -> None:
    """The log says what is still to be charged: it is started once."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=ask(Preset("time", 1_800)))
        await rack.wait(600, 10)
        rack.steel.cut_power()
        await rack.loop.step()
        assert len(rack.bills) == 1
        await reopen(rack, tmp_path, boot=boot)
        rack.steel.tell()
        await rack.wait(10, 1)
        assert runs(rack)
        await reopen(rack, tmp_path, boot=boot and b"boot-003")
        rack.steel.tell()
        await rack.wait(10, 1)
        assert len(rack.bodies(PortOpened)) == 2


async def test_mains_that_flicker(tmp_path: Path) -> None:
    """So many power cuts and no more; then it is as it was left."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=ask(Preset("time", 7_200)))
        for _ in range(CUTS_MAX + 3):
            await rack.wait(60, 5)
            if runs(rack):
                await power_fails(rack)
        assert len(rack.bodies(PortOpened)) == CUTS_MAX + 1
        assert not runs(rack)
        assert notices(rack).count("locker-not-charging") == 1


async def test_its_owner_has_asked_for_it(tmp_path: Path) -> None:
    """The door is stuck as the power fails: nothing is charged on somebody who wants to leave."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=ask(Preset("time", 1_800)))
        await rack.wait(600, 10)
        rack.steel.outlets[1].door_stuck = True
        rack.steel.settles = False
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        rack.steel.kept = [one for one in rack.steel.kept if one.end is not PortEnd.STOPPED] + [
            type(one)(**{**{name: getattr(one, name) for name in one.__dataclass_fields__}, "end": PortEnd.POWER_LOSS})
            for one in rack.steel.kept
        ]
        rack.steel.settles = True
        await rack.wait(60, 5)
        assert len(rack.bills) == 1
        assert len(rack.bodies(PortOpened)) == 1


@pytest.mark.parametrize("end", [PortEnd.HAZARD, PortEnd.FAULT, PortEnd.OVERLOAD, PortEnd.UNPLUGGED])
async def test_any_other_end_is_the_end(tmp_path: Path, end: PortEnd) -> None:
    """Heat, smoke, a fault: nobody charges on behind a shut door, and somebody is told to look."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=ask(Preset("time", 1_800)))
        await rack.wait(600, 10)
        rack.steel.end(1, end)
        rack.steel.tell()
        await rack.wait(60, 5)
        assert len(rack.bodies(PortOpened)) == 1
        assert notices(rack).count("locker-not-charging") == (end is not PortEnd.UNPLUGGED)


async def test_a_fee_does_not_fall_due_twice(tmp_path: Path) -> None:
    """With a fee for each session it is not charged on: staff are told, and what was not used goes back."""
    async with lockers(tmp_path) as rack:
        await rack.publish_prices(
            PortPrice("lockers", "time", [PowerStep(1_000, 100_000)], 0, 20_000, 0, 0, 0, 0, 0), version=2
        )
        await put_in(rack, ask=ask(Preset("time", 1_800)))
        await rack.wait(600, 10)
        await power_fails(rack)
        assert not runs(rack)
        assert notices(rack).count("locker-not-charging") == 1
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerClosed)) == 1


async def test_a_board_that_settles_when_its_door_opens(tmp_path: Path) -> None:
    """Nothing can follow its order before: said once, over a restart too, so that somebody tells the owner."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=ask(Preset("time", 1_800)))
        await rack.wait(600, 10)
        (found,) = rack.ports.sessions()
        number = rack.ports.order_of(found[0]).number
        over = PortStatus(
            PortState.FULL, "1B", number, 20, 600, None, 150, plugged=True, door_open=False, ended=PortEnd.POWER_LOSS
        )
        rack.steel.insists, rack.steel.settles = over, False
        rack.steel.cut_power()
        rack.steel.tell()
        await rack.wait(30, 5)
        await reopen(rack, tmp_path)
        await rack.wait(30, 5)
        assert notices(rack).count("locker-not-charging") == 1
        rack.steel.insists, rack.steel.settles = None, True
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(10, 1)
        assert [reason for reason, _ in rack.bills] in (["power-loss"], ["collected"])
        assert len(rack.bodies(PortOpened)) == 1
        assert rack.lease().held == 0


async def test_the_disk_is_full_as_the_power_cut_is_seen(tmp_path: Path) -> None:
    """What could not be written is said by a later look, once."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=ask(Preset("time", 1_800)))
        await rack.wait(600, 10)
        (found,) = rack.ports.sessions()
        number = rack.ports.order_of(found[0]).number
        over = PortStatus(
            PortState.FULL, "1B", number, 20, 600, None, 150, plugged=True, door_open=False, ended=PortEnd.POWER_LOSS
        )
        rack.steel.insists, rack.steel.settles = over, False
        rack.steel.cut_power()
        rack.steel.tell()
        with full_disk(rack.journal):
            await rack.wait(60, 5)
        assert notices(rack).count("locker-not-charging") == 0
        await rack.wait(60, 5)
        assert notices(rack).count("locker-not-charging") == 1
        await reopen(rack, tmp_path)
        await rack.wait(60, 5)
        assert notices(rack).count("locker-not-charging") == 1
        rack.steel.insists, rack.steel.settles = None, True
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(10, 1)


@pytest.mark.parametrize("boot", [None, b"boot-002"], ids=["daemon", "power"])
async def test_what_is_not_charged_is_said_once(tmp_path: Path, boot: bytes | None) -> None:
    """A refused charge, with the disk full at first: once, over restarts and looks behind the door."""
    async with lockers(tmp_path) as rack:
        await rack.publish_prices(
            PortPrice("lockers", "time", [PowerStep(1_000, 100_000)], 0, 20_000, 0, 0, 0, 0, 0), version=2
        )
        await put_in(rack, ask=ask(Preset("time", 1_800)))
        await rack.wait(600, 10)
        rack.steel.cut_power()
        rack.steel.tell()
        await rack.loop.step()
        with full_disk(rack.journal):
            await rack.wait(60, 5)
        assert notices(rack).count("locker-not-charging") == 0
        await rack.wait(60, 5)
        assert notices(rack).count("locker-not-charging") == 1
        await rack.hall.lockers.open_by_staff("rack.1", "wu", "why does it not charge?", remove=False)
        await rack.wait(3, 1)
        shut(rack, plugged=True)
        await rack.wait(3, 1)
        await reopen(rack, tmp_path, boot=boot)
        rack.steel.tell()
        await rack.wait(120, 5)
        assert notices(rack).count("locker-not-charging") == 1
        assert not runs(rack)
