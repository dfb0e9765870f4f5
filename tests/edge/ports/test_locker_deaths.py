"""The box dies, or its disk is full, at each second of a stay in a locker: the pack comes out again, paid once."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.till.ask import Refused
from protocols.trade.records_port import LockerClosed, LockerOpened, PortClosed, PortOpened
from tests.edge.desk_rig import reopen
from tests.edge.ports.port_rig import Rack
from tests.edge.ports.test_lockers import BY_CARD, lockers, to_charge
from tests.edge.ports.test_lockers_attacked import full_disk

COMES_S, LEAVES_S, ENDS_S = 2, 60, 150


@dataclass
class Ann:
    """She brings her pack, comes back for it, and taps again when nothing happens. patience_s: until she does."""

    rack: Rack
    has_pack: bool = True
    hand_s: int = 0
    patience_s: int = 0

    async def act(self, second: int) -> None:
        outlet, steel = self.rack.steel.outlets[1], self.rack.steel
        wants_in = second >= COMES_S and self.has_pack and second < LEAVES_S
        wants_out = second >= LEAVES_S and not self.has_pack
        if not (wants_in or wants_out):
            return
        if outlet.door_open:
            self.hand_s += 1
            if self.hand_s >= 3:
                outlet.plugged, self.has_pack = wants_in, wants_out
                outlet.door_open, self.hand_s = False, 0
                steel.tell()
            return
        self.patience_s -= 1
        if self.patience_s > 0:
            return
        self.patience_s = 12
        hall = self.rack.hall
        if wants_in and hall.lockers.desk.stay_at("rack.1") is None:
            await hall.lockers.store(to_charge())
        elif wants_out:
            await hall.lockers.collect("rack.1", BY_CARD)


MOMENTS = [*range(1, 16), *range(LEAVES_S - 1, LEAVES_S + 12)]


@pytest.mark.parametrize(("boot", "dark_s"), [(False, 0), (True, 40)], ids=["daemon", "power"])
async def test_at_every_second(tmp_path: Path, boot: bool, dark_s: int) -> None:
    """She has her pack again, the locker is free, and what it charged is billed once."""
    for at in MOMENTS:
        path = tmp_path / str(at)
        path.mkdir()
        async with lockers(path) as rack:
            ann = Ann(rack)
            for second in range(ENDS_S):
                await tick(ann, second)
                if second == at:
                    name = b"boot-%03d" % (2 + at) if boot else None
                    await reopen(rack, path, boot=name, meanwhile=lambda: rack.elapse(dark_s))
            await check(ann, at)


async def test_a_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    """For ten seconds from every second on: what was seen of the door meanwhile is not forgotten."""
    for at in MOMENTS:
        path = tmp_path / str(at)
        path.mkdir()
        async with lockers(path) as rack:
            ann = Ann(rack)
            for second in range(ENDS_S):
                with full_disk(rack.journal) if at <= second < at + 10 else nullcontext():
                    await tick(ann, second)
            await check(ann, at)


async def tick(ann: Ann, second: int) -> None:
    await ann.act(second)
    ann.rack.elapse(1)
    await ann.rack.loop.step()
    await ann.rack.hall.charge_stored()


async def check(ann: Ann, at: int) -> None:
    """How it all stands in the end. at: for the message."""
    rack = ann.rack
    stays, orders, bills = rack.bodies(LockerOpened), rack.bodies(PortOpened), rack.bodies(PortClosed)
    assert ann.has_pack, at
    assert rack.desk.state.ports.stays == {}, at
    assert [one.outcome for one in rack.bodies(LockerClosed)][-1:] == ["collected"], (at, len(stays))
    assert len(bills) <= len(orders) <= len(stays), at
    assert (rack.steel.kept, rack.lease().held) == ([], 0), at
    assert not isinstance(await rack.hall.lockers.store(to_charge()), Refused), at
    await rack.wait(15, 1)
