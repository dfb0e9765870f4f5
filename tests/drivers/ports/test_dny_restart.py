"""Nothing is lost when one end starts again, or the way between is cut: orders are learnt anew, settlements come."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from dny_rig import UNIX_MS, Plant, Via, board_config, board_twin, number, order, plant, running, there, until

from drivers.errors import DeviceFault, LineDown, Transient
from drivers.line import Line, LineConfig
from drivers.port_board import PortBoard, PortEnd, PortState
from drivers.ports.registry import build_port_board
from drivers.twins.ports.battery import Battery
from drivers.twins.ports.faults import PortFaultKind as Kind
from drivers.twins.ports.outlet import Job
from drivers.twins.ports.wire import DnyLine


async def test_a_new_gateway_learns_what_runs() -> None:
    """From heartbeats that it runs, from a power report whose order it is and how much it took."""
    async with plant(speed=10) as site:
        site.plug(2)
        await site.driver.start(2, order(5))
        site.world.run(1_000_000)
        assert site.listener is not None
        again = build_port_board(board_config("tcp"), site.listener, lambda: UNIX_MS)
        async with running(again.run()):
            await site.until(lambda: (status := again.status()[2].value) and status.state is PortState.CHARGING)
            site.world.run(300_000)
            await site.until(lambda: (status := again.status()[2].value) and status.order == number(5))
            status = again.status()[2].value
            assert status is not None
            assert (status.power_w, status.peak_w) == (200, 200)
            assert 50 <= (status.energy_wh or 0) <= 90
            assert 1000 <= (status.elapsed_s or 0) <= 1500
            await again.stop(2, number(5))
            settlement = await site.until(lambda: again.settlements())
            assert (settlement[0].number, settlement[0].end) == (number(5), PortEnd.STOPPED)


async def test_a_new_gateway_gets_what_the_old_one_did_not_acknowledge() -> None:
    """The settlement was offered to a gateway that died before it had stored it."""
    async with plant(speed=200) as site:
        site.plug()
        await site.driver.start(1, order(9, "time", 20))
        first = await site.settled(9)
        assert site.listener is not None
        again = build_port_board(board_config("tcp"), site.listener, lambda: UNIX_MS)
        async with running(again.run()):
            site.twin.kept[0].again_ms = 0
            (second,) = await site.until(lambda: again.settlements())
            assert (second.number, second.energy_wh, second.elapsed_s) == (
                first.number, first.energy_wh, first.elapsed_s,
            )  # fmt: skip
            await again.acknowledge(second)
            await site.until(lambda: not site.twin.kept)


@pytest.mark.parametrize("via", ["tcp", "line"])
async def test_the_way_is_cut_for_long(via: Via) -> None:
    """The board ends alone; what it has to say comes when the way is back, and the acknowledgement finds it."""
    async with plant(via, speed=300) as site:
        site.plug()
        await site.driver.start(1, order(1, "time", 200))
        await _cut(site)
        await site.until(lambda: site.twin.kept)
        await site.until(lambda: (status := site.status()) and status.state is PortState.OUT)
        assert site.driver.settlements() == ()
        with pytest.raises(Transient):
            await site.driver.start(2, order(2))
        await _mend(site)
        settlement = await site.settled(1)
        assert settlement.elapsed_s == 200
        await site.driver.acknowledge(settlement)
        await site.until(lambda: not site.twin.kept)


async def test_an_acknowledgement_that_did_not_arrive() -> None:
    """The way is down just then: when the settlement comes again, it is answered at once and not offered again."""
    async with plant(speed=200) as site:
        site.plug()
        await site.driver.start(1, order(1, "time", 20))
        settlement = await site.settled(1)
        await _cut(site)
        await site.until(lambda: not site.way.connected)  # type: ignore[union-attr]  # it is there
        await asyncio.sleep(0.05)
        await site.driver.acknowledge(settlement)
        assert site.twin.kept
        await _mend(site)
        await site.until(lambda: not site.twin.kept)
        assert site.driver.settlements() == ()


async def test_a_connection_that_ends_while_an_answer_is_awaited() -> None:
    """Nobody waits for the time-out: it is down at once, and open what was done."""
    async with plant(speed=10, options={"answer_s": 10.0}) as site:
        site.plug()
        site.fault(Kind.LOST_ANSWER)
        starting = asyncio.create_task(site.driver.start(1, order()))
        await site.until(lambda: site.world.truth)
        site.fault(Kind.LINK_LOSS, amount=100)
        with pytest.raises(LineDown):
            await starting
        await site.start(order())
        assert [job.number for job in site.world.truth] == [number(1)]
        status = site.status()
        assert status is not None
        assert status.order == number(1)


async def test_an_order_of_another_gateway() -> None:
    """It runs on the port that we would sell: refused; its settlement is offered all the same, with its own number."""
    async with plant(speed=100) as site:
        site.plug()
        foreign = bytes.fromhex("AA" * 16)
        assert site.world.start(Job(foreign, 1, limit_ms=60_000)) is None
        await site.until(lambda: (status := site.status()) and status.state is PortState.CHARGING)
        with pytest.raises(DeviceFault, match="02 already"):
            await site.driver.start(1, order(1))
        await site.driver.stop(2, foreign)
        settlement = (await site.until(lambda: site.driver.settlements()))[0]
        assert (settlement.number, settlement.end) == (foreign, PortEnd.LIMIT)


async def test_a_gateway_that_comes_back_to_a_polled_line() -> None:
    """The daemon was started again; the board had been charging all the while, and says whose order it is."""
    twin = board_twin()
    twin.world.plug(1, Battery.usual())
    async with DnyLine([twin], baud=115_200, speed=50) as wire:
        config = LineConfig(id="yard", path=wire.port, baud=115_200, drain_ms=0)
        for again in (False, True):
            async with Line(config) as line:
                driver = build_port_board(board_config("line"), line, lambda: UNIX_MS)
                async with running(driver.run()):
                    if not again:
                        await driver.start(1, order(4))
                    else:
                        twin.world.run(300_000)
                    await until(partial(_runs, driver, number(4)))
    assert [job.number for job in twin.world.truth] == [number(4)]


def _runs(driver: PortBoard, wanted: bytes) -> bool:
    status = driver.status()[1].value
    return status is not None and status.order == wanted


async def _cut(site: Plant) -> None:
    if isinstance(site.way, DnyLine):
        site.way.deaf = True
    else:
        site.way.cut.set()


async def _mend(site: Plant) -> None:
    if isinstance(site.way, DnyLine):
        site.way.deaf = False
    else:
        site.way.cut.clear()
    await there(site)
