"""DNY beside orders: cards, thresholds, charging cabinets, alarms, and what a technician sees."""

from __future__ import annotations

import asyncio

import pytest
from dny_rig import BOTH, UNIX_MS, Via, number, order, plant
from structlog.testing import capture_logs

from drivers.errors import DeviceFault, Transient
from drivers.port_board import PortEnd, PortState
from drivers.ports.cards import Account, Verdict
from drivers.twins.ports.battery import Battery
from drivers.twins.ports.faults import PortFaultKind as Kind
from protocols.fieldbus import dny_platform as platform
from protocols.fieldbus.dny_codes import Account as Code

UID = bytes.fromhex("7A8D05DD")


def card_answers(asked: list[platform.Answer]) -> list[platform.CardAnswer]:
    return [one for one in asked if isinstance(one, platform.CardAnswer)]


@BOTH
async def test_a_card_is_looked_up_and_answered(via: Via) -> None:
    """Its number as the card sends it, the customers' port; verdict and balance go back, and a start may follow."""
    async with plant(via, speed=10) as site:
        shown: list[tuple[int | None, str]] = []

        async def on_card(port: int | None, text: str) -> Verdict:
            shown.append((port, text))
            return Verdict(Account.OK, 1234)

        site.driver.on_card = on_card
        site.twin.show_card(UID, 3)
        (said,) = await site.until(lambda: card_answers(site.twin.answered))
        assert shown == [(4, "7A8D05DD")]
        assert (said.uid, said.account, said.balance, said.port) == (UID, Code.OK, 1234, 3)
        site.plug(4)
        await site.driver.start(4, order())


async def test_a_card_without_a_till_is_unregistered() -> None:
    """And so is a number that a phone made up, and one whose lookup failed."""
    async with plant(speed=10) as site:
        site.twin.show_card(UID)
        await site.until(lambda: len(card_answers(site.twin.answered)) == 1)

        async def fails(port: int | None, text: str) -> Verdict:
            raise RuntimeError("no till")

        site.driver.on_card = fails
        with capture_logs() as logs:
            site.twin.show_card(UID)
            await site.until(lambda: len(card_answers(site.twin.answered)) == 2)
        assert [line["event"] for line in logs if line["log_level"] == "error"] == ["card not looked up"]
        site.twin.show_card(bytes.fromhex("08123456"))
        await site.until(lambda: len(card_answers(site.twin.answered)) == 3)
        assert {one.account for one in card_answers(site.twin.answered)} == {Code.UNREGISTERED}


async def test_cards_have_a_limit_and_wait_for_nobody_else() -> None:
    """While lookups hang, orders go on; more cards than a few are not looked up."""
    async with plant(speed=10) as site:
        gate, asked = asyncio.Event(), []

        async def slow(port: int | None, text: str) -> Verdict:
            asked.append(text)
            await gate.wait()
            return Verdict(Account.NO_MONEY)

        site.driver.on_card = slow
        for card in range(1, 9):
            site.twin.show_card(bytes((card, 1, 1, 1)), card)
        await site.until(lambda: len(asked) == 4)
        site.plug()
        await site.driver.start(1, order())
        gate.set()
        await site.until(lambda: len(card_answers(site.twin.answered)) == 4)
        assert {one.account for one in card_answers(site.twin.answered)} == {Code.NO_MONEY}


@BOTH
async def test_thresholds_are_written_and_read_back(via: Via) -> None:
    """What is configured and differs; what is right already is not written, what is not configured not asked for."""
    options = {
        "floating": {"float_s": 600, "detect_s": 300},
        "limits": {"overload_mw": 800_000, "time_max_s": 28_800},
    }
    async with plant(via, speed=10, options=options) as site:
        await site.until(lambda: site.twin.limits.overload_mw == 800_000)
        await site.until(lambda: len([one for one in site.twin.asked if type(one) is platform.ReadLimits]) == 2)
        assert (site.twin.floating.float_s, site.twin.floating.detect_s) == (600, 300)
        assert site.twin.limits == platform.Limits(28_800, 800_000, 270_000, 100_000)
        assert not [one for one in site.twin.asked if isinstance(one, platform.Load | platform.ReadLoad)]
        writes = len([one for one in site.twin.asked if isinstance(one, platform.Limits)])
        site.world.cut_power(2_000)
        await site.until(lambda: len([one for one in site.twin.asked if type(one) is platform.ReadLimits]) > 2)
        assert len([one for one in site.twin.asked if isinstance(one, platform.Limits)]) == writes
        assert site.driver.link().error is None


async def test_a_board_that_does_not_keep_a_threshold() -> None:
    """A person is told which; it is sold from as it is."""
    async with plant(speed=10, options={"limits": {"overload_mw": 800_000}}, wait=False) as site:
        site.fault(Kind.FORGETS_SETTINGS, count=None)
        await site.until(lambda: "does not keep its limits" in (site.driver.link().error or ""))
        assert "overload_mw is 2000000, not 800000" in (site.driver.link().error or "")
        site.plug()
        await site.start(order())


@BOTH
async def test_a_cabinet_settles_when_its_door_opens(via: Via) -> None:
    """Finished and not settled, the door shut; stop leaves it shut; the owner's opening brings the settlement."""
    async with plant(via, doors=True, speed=200) as site:
        site.plug(2)
        await site.driver.start(2, order(1, "time", 60))
        await site.until(lambda: (status := site.status(2)) and "finished" in status.reason)
        status = site.status(2)
        assert status is not None
        assert (status.state, status.order, status.ended) == (PortState.FULL, number(1), PortEnd.LIMIT)
        assert site.driver.settlements() == ()
        with pytest.raises(DeviceFault, match="02 already"):
            await site.driver.start(2, order(2))
        await site.driver.open_door(2)
        settlement = await site.settled(1)
        assert (settlement.end, settlement.elapsed_s) == (PortEnd.LIMIT, 60)
        await site.until(lambda: (status := site.status(2)) and status.door_open)
        site.world.shut_door(2)
        await site.until(lambda: (status := site.status(2)) and status.door_open is False)

        site.plug(3)
        await site.driver.start(3, order(3))
        await site.driver.stop(3, number(3))
        assert [type(one).__name__ for one in site.twin.asked if "Stop" in type(one).__name__] == ["StopKeepShut"]
        assert site.world.outlets[3].job is None
        assert not site.world.outlets[3].door_open
        await site.driver.open_door(3)
        assert (await site.settled(3)).end is PortEnd.STOPPED


async def test_a_door_that_is_forced() -> None:
    """The alarm names the port; the order that had ended is settled by it."""
    async with plant(doors=True, speed=200) as site:
        site.world.spring(5)
        with capture_logs() as logs:
            await site.until(lambda: site.driver.alarms())
            site.twin.notice_open_door(6)
            await site.until(lambda: len(site.driver.alarms()) == 2)
        assert [(alarm.kind, alarm.port) for alarm in site.driver.alarms()] == [
            ("07 door sprung", 5), ("44 01 door not closed", 6),
        ]  # fmt: skip
        assert [line["log_level"] for line in logs if line["event"] == "alarm"][-1] == "warning"
        status = site.status(5)
        assert status is not None
        assert status.door_open is True
        site.world.shut_door(5)
        await site.until(lambda: site.driver.alarms()[0].over != "")


async def test_smoke() -> None:
    """Every order ends as a hazard, and nothing is started until it has cleared."""
    async with plant(speed=100) as site:
        for port in (1, 2):
            site.plug(port)
            await site.driver.start(port, order(port))
        site.fault(Kind.SMOKE, amount=60_000, port=1)
        ends = [await site.settled(port) for port in (1, 2)]
        assert [(one.end, one.reason) for one in ends] == [
            (PortEnd.HAZARD, "11 fire here"), (PortEnd.HAZARD, "12 fire elsewhere"),
        ]  # fmt: skip
        assert site.driver.alarms()[0].kind == "04 smoke"
        if site.world.smoke:
            with pytest.raises(DeviceFault, match="0B smoke"):
                await site.driver.start(3, order(3))
        await site.until(lambda: not site.world.smoke)
        await site.driver.start(3, order(4))


async def test_a_welded_relay() -> None:
    """It starts, for the board says it does; after the stop it shows as a fault, and the truth knows what leaks."""
    async with plant(speed=100) as site:
        site.plug(1, Battery.usual(2000, 300))
        site.world.weld(1)
        await site.until_state(PortState.FAULT)  # so that a till does not sell it
        await site.driver.start(1, order(1))
        await site.driver.stop(1, number(1))
        await site.settled(1)
        status = await site.until_state(PortState.FAULT)
        assert status.reason == "09 relay welded"
        await site.until(lambda: site.world.outlets[1].leaked_mj > 0)


async def test_power_steps_in_mid_order() -> None:
    """Every report tells the power of its moment and the peak; a till that prices by power steps reads both."""
    async with plant(speed=2000) as site:
        site.plug(1, Battery(((100, 400), (200, 200), (300, 90)), float_w=2))
        await site.driver.start(1, order())
        seen: list[tuple[int | None, int | None]] = []

        def look() -> bool:
            status = site.status()
            if status is not None and status.power_w and (status.power_w, status.peak_w) not in seen:
                seen.append((status.power_w, status.peak_w))
            return len(seen) >= 3

        await site.until(look)
        assert seen[:3] == [(400, 400), (200, 400), (90, 400)]


async def test_the_boards_time_is_ours_or_none() -> None:
    """A box that does not know what time it is does not say so."""
    async with plant(speed=10) as site:
        await site.until(lambda: [one for one in site.twin.answered if isinstance(one, platform.Time)])
        told = next(one for one in site.twin.answered if isinstance(one, platform.Time))
        assert told.unix_s == UNIX_MS // 1000


async def test_what_a_technician_sees() -> None:
    """Firmware, signal, voltage, each port in a line, what waits, and the last alarms."""
    async with plant(speed=100, ports=2) as site:
        site.plug()
        await site.driver.start(1, order())
        site.world.raise_water()
        await site.until(lambda: site.driver.alarms())
        points = {point.name: point.value for point in site.driver.points()}
        assert (points["firmware"], points["ports"], points["voltage"]) == ("1.26", "2", "221.2 V")
        assert points["port 1"].startswith(("plugged (ordered)", "charging ("))  # it says so with its next heartbeat
        assert f"order {number(1).hex()}" in points["port 1"]
        assert points["alarm"].startswith("02 water")
        assert "over" not in points["alarm"]
        assert site.driver.link().counts["answered"] > 0


async def test_a_poll_that_nobody_answers_is_no_failure() -> None:
    """A board on a line is silent while it has nothing to say."""
    async with plant("line", speed=10, options={"answer_s": 10.0}) as site:
        await site.until(lambda: site.driver.link().counts.get("quiet", 0) > 5)
        assert "timeouts" not in site.driver.link().counts


async def test_a_dead_board_fails_as_soon_as_it_owes_a_word() -> None:
    """It was asked to start an order, and neither answers nor says anything else: each poll is a failure from then."""
    async with plant("line", speed=10, options={"heartbeat_s": 600}) as site:
        site.world.cut_power()
        with pytest.raises(Transient):
            await site.driver.start(1, order())
        failed = site.driver.link().counts["timeouts"]
        quiet = site.driver.link().counts.get("quiet", 0)
        await site.until(lambda: site.driver.link().counts["timeouts"] > failed + 3)
        assert "no answer" in (site.driver.link().error or "")
        assert site.driver.link().counts.get("quiet", 0) == quiet


async def test_a_request_that_a_board_on_tcp_does_not_answer_is_a_failure() -> None:
    """Connected, and deaf: it is counted where everybody looks."""
    async with plant("tcp", speed=10, options={"answer_s": 0.05}) as site:
        site.fault(Kind.LOST_ANSWER, count=2)
        site.plug()
        with pytest.raises(Transient):
            await site.driver.start(1, order())
        assert site.driver.link().counts["timeouts"] == 1
