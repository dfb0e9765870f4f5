"""The box dies, or its disk is full, at each second of a session at a port: what flowed is billed, and billed once."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from edge.till.ask import Refused
from edge.till.port.progress import PortEnds
from protocols.trade.records import Preset
from protocols.trade.records_port import PortClosed, PortUnattributed
from tests.edge.desk_rig import reopen
from tests.edge.ports.port_rig import Rack, a_rack
from tests.edge.ports.test_lockers_attacked import full_disk

MINUTE = Preset("time", 60)
ASKS_S, STOPS_S, ENDS_S = 3, 40, 250
MOMENTS = [*range(8), *range(STOPS_S - 2, STOPS_S + 6), *range(60, 70)]


async def tick(rack: Rack, second: int, *, stops: bool) -> None:
    """A customer comes, and may stop; the board works, and the loop turns."""
    if second == ASKS_S:
        await rack.hall.start(rack.asks(1, MINUTE))
    if second == STOPS_S and stops:
        for session, _ in rack.ports.sessions():
            await rack.hall.stop(session.seq, PortEnds.LOCAL)
    rack.elapse(1)
    await rack.loop.step()


def check(rack: Rack, delivered_s: int, at: int) -> None:
    """How it all stands in the end. at: for the message."""
    bills, loose = rack.bodies(PortClosed), rack.bodies(PortUnattributed)
    told_s = sum(body.elapsed_s or 0 for body in (*bills, *loose))
    assert told_s == delivered_s, (at, told_s, delivered_s)
    assert len(bills) + len(loose) <= 1, at
    assert loose == [], at
    assert rack.desk.state.ports.sessions == {}, at
    assert (rack.steel.kept, rack.lease().held) == ([], 0), at


@pytest.mark.parametrize("stops", [False, True], ids=["to its end", "stopped"])
@pytest.mark.parametrize(("boot", "dark_s"), [(False, 0), (True, 40)], ids=["daemon", "power"])
async def test_at_every_second(tmp_path: Path, boot: bool, dark_s: int, stops: bool) -> None:
    """Of a box: the board goes on meanwhile."""
    for at in MOMENTS:
        path = tmp_path / str(at)
        path.mkdir()
        async with a_rack(path) as rack:
            ended = watch(rack)
            for second in range(ENDS_S):
                await tick(rack, second, stops=stops)
                if second == at:
                    name = b"boot-%03d" % (2 + at) if boot else None
                    await reopen(rack, path, boot=name, meanwhile=lambda: rack.elapse(dark_s))
            check(rack, sum(ended), at)


async def test_a_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    """For ten seconds from every second on: nobody is billed twice or not at all."""
    for at in MOMENTS:
        path = tmp_path / str(at)
        path.mkdir()
        async with a_rack(path) as rack:
            ended = watch(rack)
            for second in range(ENDS_S):
                with full_disk(rack.journal) if at <= second < at + 10 else nullcontext():
                    await tick(rack, second, stops=False)
            check(rack, sum(ended), at)
            assert not isinstance(await rack.hall.start(rack.asks(1, MINUTE)), Refused), at
            for second in range(100, 200):
                await tick(rack, second, stops=False)


def watch(rack: Rack) -> list[int]:
    """The seconds of every order that the board has ended, as they come."""
    ended: list[int] = []
    real = rack.steel.end

    def end(port: int, why: object) -> None:
        real(port, why)  # type: ignore[arg-type]  # as it came
        ended.append(rack.steel.kept[-1].elapsed_s or 0)

    rack.steel.end = end  # type: ignore[method-assign]  # the rig's own, watched
    return ended
