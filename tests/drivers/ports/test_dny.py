"""A DNY board from the first order to the last settlement, over TCP and on a polled line alike."""

from __future__ import annotations

import pytest
from dny_rig import BOTH, DEVICE, UNIX_MS, Plant, Via, number, order, plant

from drivers.api import LinkState, Quality
from drivers.errors import DeviceFault, Misconfigured, Unsupported
from drivers.port_board import PortBoard, PortEnd, PortOrder, PortState, Settlement
from drivers.twins.ports.battery import MJ_PER_WH, Battery
from drivers.twins.ports.faults import PortFault
from drivers.twins.ports.faults import PortFaultKind as Kind


@BOTH
async def test_an_order_from_start_to_settlement(via: Via) -> None:
    """Energy, seconds and reason are the board's own; the truth agrees to its step of 10 Wh."""
    async with plant(via, speed=2000) as site:
        assert isinstance(site.driver, PortBoard)
        site.plug(3)
        await site.driver.start(3, order(1, "energy", 100, time_max_s=7200, power_w_max=500, prepaid_fen=350))
        assert site.driver.status()[3].value is not None
        settlement = await site.settled(1)
        job = site.world.truth[0]
        assert (settlement.port, settlement.end, settlement.reason) == (3, PortEnd.LIMIT, "04 energy up")
        assert (settlement.energy_wh, settlement.elapsed_s, settlement.peak_w) == (100, 1800, 200)
        assert 0 <= job.energy_mj - 100 * MJ_PER_WH < 10 * MJ_PER_WH
        assert settlement.ended_ms is not None
        assert 0 <= settlement.ended_ms - UNIX_MS < 10_000_000
        await site.driver.acknowledge(settlement)
        await site.driver.acknowledge(settlement)
        await site.until(lambda: not site.twin.kept)
        assert site.driver.settlements() == ()


@BOTH
async def test_an_unacknowledged_settlement_comes_again(via: Via) -> None:
    """It is never answered before it is stored, is one settlement however often it comes, and then ends."""
    async with plant(via) as site:
        site.plug()
        await site.driver.start(1, order(1, "time", 10))
        settlement = await site.settled()
        kept = site.twin.kept[0]
        for _ in range(3):
            said = len(kept.ids)
            kept.again_ms = 0
            await site.until(lambda said=said: len(kept.ids) > said)  # type: ignore[misc]  # a lambda's default
        await site.until_state(PortState.PLUGGED)
        assert [one.number for one in site.driver.settlements()] == [number(1)]
        assert site.twin.kept == [kept]
        await site.driver.acknowledge(settlement)
        await site.until(lambda: not site.twin.kept)


@BOTH
async def test_an_answer_that_was_lost_is_asked_for_once_more(via: Via) -> None:
    """The same message id goes out twice; the board says "already", and the order is ours all the same."""
    async with plant(via, speed=10) as site:
        site.plug()
        site.fault(Kind.LOST_ANSWER)
        await site.driver.start(1, order())
        switches = [one for one in site.twin.asked if type(one).__name__ == "Switch"]
        assert len(switches) == 2
        assert len(site.world.truth) == 1
        status = site.status()
        assert status is not None
        assert (status.state, status.reason, status.order) == (PortState.PLUGGED, "ordered", number(1))
        await site.driver.start(1, order())  # harmless
        assert len(site.world.truth) == 1


@BOTH
async def test_a_board_that_goes_on_under_faults(via: Via) -> None:
    """Frames are lost, garbled, doubled and cut short; every order is settled once and exactly."""
    async with plant(via, speed=500) as site:
        for kind in (Kind.LOST, Kind.GARBLE, Kind.NOISE, Kind.SHORT, Kind.DUPLICATE, Kind.LOST_ANSWER):
            site.twin.faults.set(PortFault(kind=kind, count=None, chance_permille=60))
        for port in range(1, 5):
            site.plug(port, Battery.usual(300, 100 * port))
            await site.start(order(port, "time", 600), port)
        for port in range(1, 5):
            settlement = await _insist(site, port)
            job = next(job for job in site.world.truth if job.number == number(port))
            assert (settlement.energy_wh, settlement.elapsed_s) == (job.energy_wh, 600)
        site.twin.faults.clear()
        assert len(site.world.truth) == 4


@BOTH
async def test_stop_names_the_order(via: Via) -> None:
    """Another order's number stops nothing; the right one does, and stopping again is harmless."""
    async with plant(via, speed=10) as site:
        site.plug()
        await site.driver.start(1, order(1))
        await site.driver.stop(1, number(2))
        assert site.world.outlets[1].job is not None
        await site.driver.stop(1, number(1))
        settlement = await site.settled()
        assert (settlement.end, settlement.reason) == (PortEnd.STOPPED, "07 server")
        await site.driver.stop(1, number(1))
        await site.driver.acknowledge(settlement)
        await site.driver.stop(1, number(1))
        with pytest.raises(DeviceFault, match="settled already"):
            await site.driver.start(1, order(1))


async def test_a_busy_port_is_refused_without_asking() -> None:
    """Two orders on one port; and one that another gateway had started before us."""
    async with plant(speed=10) as site:
        site.plug()
        await site.driver.start(1, order(1))
        with pytest.raises(DeviceFault, match="02 already") as refused:
            await site.driver.start(1, order(2))
        assert "another port" in refused.value.remedy


@pytest.mark.parametrize(
    ("code", "words"),
    [(1, "01 no charger"), (4, "04 no such port"), (6, "06 total power"), (8, "08 relay or fuse"), (11, "0B smoke"),
     (14, "0E no answer"), (0x77, "77")],
)  # fmt: skip
async def test_refusals_in_the_boards_own_words(code: int, words: str) -> None:
    """Nothing flows, and the same order may be tried again."""
    async with plant(speed=10) as site:
        site.plug()
        site.fault(Kind.REFUSE, amount=code)
        with pytest.raises(DeviceFault, match=words) as refused:
            await site.driver.start(1, order())
        assert refused.value.remedy
        assert site.world.truth == []
        await site.driver.start(1, order())
        assert len(site.world.truth) == 1


@pytest.mark.parametrize("code", [3, 9])
async def test_results_that_mean_done_all_the_same(code: int) -> None:
    """A board that says "port fault" or "relay welded" charges nevertheless: it has to be watched."""
    async with plant(speed=10) as site:
        site.plug()
        site.fault(Kind.REFUSE, amount=code)
        await site.driver.start(1, order())
        assert site.world.outlets[1].job is not None
        assert site.driver.status()[1].value is not None


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (order(1, "time", 0), "0 s"),
        (order(1, "time", 40_000), "40000 s"),
        (order(1, "energy", 9), "9 Wh"),
        (order(1, power_w_max=0), "0 W"),
        (order(1, power_w_max=6_554), "6554 W"),
    ],
)
async def test_what_a_board_has_no_number_for_is_not_sent(what: PortOrder, words: str) -> None:
    """A person set a price or a plan that this board cannot sell."""
    async with plant(speed=10) as site:
        with pytest.raises(Misconfigured, match=words):
            await site.driver.start(1, what)
        with pytest.raises(Misconfigured, match="no port 11"):
            await site.driver.start(11, order())
        with pytest.raises(Unsupported):
            await site.driver.open_door(1)
        assert not [one for one in site.twin.asked if type(one).__name__ == "Switch"]


async def test_ends_in_a_tills_words() -> None:
    """Full after floating, unplugged, overload, smoke, and a power cut."""
    async with plant(speed=4000) as site:
        site.plug(1, Battery.usual(50, 300))
        site.plug(2)
        site.plug(3)
        site.plug(4)
        for port in (1, 2, 3, 4):
            await site.driver.start(port, order(port, power_w_max=600))
        site.world.unplug(2)
        site.world.draw(3, 900)
        ends = {seq: (await site.settled(seq)) for seq in (1, 2, 3)}
        assert {seq: one.end for seq, one in ends.items()} == {
            1: PortEnd.FULL, 2: PortEnd.UNPLUGGED, 3: PortEnd.OVERLOAD,
        }  # fmt: skip
        assert (ends[1].energy_wh, ends[3].peak_w) == (50, 1100)
        assert (ends[1].elapsed_s or 0) >= 5400


@BOTH
async def test_a_power_cut_in_the_middle(via: Via) -> None:
    """Dark, the settlements survive in the board, and come when it is back; the cut order with what it had counted."""
    async with plant(via, speed=500) as site:
        site.plug(1)
        site.plug(2)
        await site.driver.start(1, order(1, "time", 60))
        await site.driver.start(2, order(2))
        await site.settled(1)
        await site.until(lambda: site.world.outlets[2].delivered_mj > 20 * MJ_PER_WH)
        site.world.cut_power(120_000)
        settlement = await site.settled(2)
        assert (settlement.end, settlement.reason) == (PortEnd.POWER_LOSS, "1B under voltage")
        assert settlement.energy_wh == site.world.truth[1].energy_wh > 0
        for one in site.driver.settlements():
            await site.driver.acknowledge(one)
        await site.until(lambda: not site.twin.kept)


@BOTH
async def test_a_board_that_is_silent_is_out(via: Via) -> None:
    """After two missed heartbeats; what it did before stays known, and it comes back by itself."""
    async with plant(via, speed=20) as site:
        site.plug()
        await site.driver.start(1, order())
        assert site.driver.link().state is LinkState.ONLINE
        site.world.cut_power()
        await site.until(lambda: (status := site.status()) is not None and status.state is PortState.OUT)
        reading = site.driver.status()[1]
        assert reading.quality is Quality.STALE
        assert reading.value is not None
        assert (reading.value.order, reading.value.reason[:6]) == (number(1), "silent")
        await site.until(lambda: site.driver.link().state is LinkState.OFFLINE)
        assert site.driver.link().error
        site.world.return_power()
        await site.settled(1)
        await site.until(lambda: site.driver.link().state is LinkState.ONLINE)


def test_the_device_number_is_in_the_frames() -> None:
    """The type above, the printed number below."""
    assert DEVICE == 5 << 24 | 11_220_795


async def _insist(site: Plant, seq: int) -> Settlement:
    """The settlement, said again every five of the board's seconds until it arrives."""

    def found() -> Settlement | None:
        for kept in site.twin.kept:
            kept.again_ms = min(kept.again_ms, site.world.now_ms + 5_000)
        return next((one for one in site.driver.settlements() if one.number == number(seq)), None)

    settlement: Settlement = await site.until(found)
    return settlement
