"""Everything that a YKC pile can do wrong, and a gateway that dies in mid-charge: nothing is lost, nothing twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from ykc_rig import Rig, charging, order, settled, small_car, until, ykc

from drivers.api import LinkState, Quality
from drivers.errors import DeviceFault, Silent
from drivers.port_board import PortEnd, PortState, Settlement
from drivers.twins.ports.ykc_faults import PileFault, PileFaultKind
from protocols.fieldbus.ykc_session import Stop


def told_to_stop(rig: Rig) -> int:
    return sum(isinstance(said, Stop) for said in rig.twin.asked)


async def one_charge(rig: Rig, wh: int = 50) -> Settlement:
    """From the plug to the first settlement."""
    rig.plug(small_car(wh))
    await rig.pile.start(1, order())
    (said,) = await settled(rig)
    return said


@pytest.mark.parametrize(
    "fault", ["bill-late:1:60", "bill-deaf:2", "bill-repeated:1:3", "still-open:1", "noise:*:7", "dribble:40:1"]
)
async def test_a_bill_that_has_a_hard_way(fault: str) -> None:
    """Late, repeated, its acknowledgement not heard, noise on the link: one settlement, and in the end none is left."""
    async with ykc(faults=[fault]) as rig:
        said = await one_charge(rig)
        assert said.energy_wh == rig.twin.charges[0].energy_wh == 50
        await rig.pile.acknowledge(said)
        await until(lambda: not rig.twin.bills)
        assert rig.pile.settlements() == []
        assert rig.counts["bills-new"] == 1


async def test_a_bill_is_not_acknowledged_before_it_is_stored() -> None:
    """The pile repeats it, and it stays one settlement."""
    async with ykc() as rig:
        said = await one_charge(rig)
        await until(lambda: rig.counts.get("bills-again", 0) >= 2)
        assert rig.twin.bills
        assert rig.pile.settlements() == [said]


async def test_a_bill_that_is_lost() -> None:
    """The gun is at rest, nothing settles it, and the next order is its own."""
    async with ykc(faults=["bill-lost:1"]) as rig:
        rig.plug(small_car(50))
        await rig.pile.start(1, order())
        await charging(rig)
        await until(lambda: rig.twin.charges)
        status = (await rig.pile.read_status(1)).value
        assert status.state is PortState.PLUGGED
        assert status.order is None
        assert rig.pile.settlements() == []
        rig.unplug()
        rig.plug(small_car(20))
        await rig.pile.start(1, order(8))
        (said,) = await settled(rig)
        assert said.number == order(8).number


async def test_two_bills_of_one_order() -> None:
    """The second is another settlement, for the till to judge."""
    async with ykc(faults=["bill-twice:1:100"]) as rig:
        said = await one_charge(rig)
        await rig.pile.acknowledge(said)
        (other,) = await settled(rig)
        assert other.number == said.number
        assert other.energy_wh == said.energy_wh + 100
        assert rig.counts["bills-faulty"] == 1


@pytest.mark.parametrize(
    ("fault", "energy_wh", "amount_fen", "faulty"),
    [
        ("bill-amount:1:300", 50, 306, 1),
        ("bill-energy:1:500", 550, 66, 1),
        ("bill-price:1:60000", 50, 9, 0),
        ("bill-sealed:1", 50, 6, 0),
    ],
)
async def test_a_wrong_bill_is_told_as_it_is(fault: str, energy_wh: int, amount_fen: int, faulty: int) -> None:
    """What contradicts itself is counted; the tariff is the till's to compare."""
    async with ykc(faults=[fault]) as rig:
        said = await one_charge(rig)
        assert (said.energy_wh, said.amount_fen) == (energy_wh, amount_fen)
        assert rig.counts.get("bills-faulty", 0) == faulty


async def test_a_bill_without_an_order() -> None:
    """Its number is 0, which is nobody's; it can be acknowledged."""
    async with ykc(faults=["bill-no-order:1"]) as rig:
        said = await one_charge(rig)
        assert said.number == bytes(16)
        await rig.pile.acknowledge(said)
        await until(lambda: not rig.twin.bills)


async def test_a_gateway_that_dies_in_mid_charge() -> None:
    """Another process finds the order running, stops it by its number, and gets the bill."""
    async with ykc() as rig:
        rig.plug(small_car(30_000))
        await rig.pile.start(1, order(kind="energy", limit=20_000))
        await charging(rig)
        await rig.gateway_gone()
        await asyncio.sleep(0.2)
        await rig.gateway_back()
        status = await charging(rig)
        assert status.order == order().number
        await rig.pile.start(1, order(kind="energy", limit=100))  # the limit is known again
        (said,) = await settled(rig)
        assert (said.number, said.end) == (order().number, PortEnd.STOPPED)
        assert len(rig.twin.charges) == 1


async def test_a_gateway_that_is_away_at_the_end() -> None:
    """Whether the bill had been told before or not, it comes to the new process."""
    async with ykc() as rig:
        before = await one_charge(rig)
        await rig.gateway_gone()
        await rig.gateway_back()
        (said,) = await settled(rig)
        assert said == replace(before, peak_w=None)
        await rig.pile.acknowledge(said)
        await until(lambda: not rig.twin.bills)


async def test_a_pile_that_starts_again_in_mid_charge() -> None:
    """It is out meanwhile, with its last word on the order; then its bill says that the power went."""
    async with ykc(faults=["reboot:1:60"]) as rig:
        rig.plug(small_car(30_000))
        await rig.pile.start(1, order())
        await charging(rig)
        (said,) = await settled(rig)
        assert said.end is PortEnd.POWER_LOSS
        assert said.energy_wh == rig.twin.charges[0].energy_wh


async def test_a_network_that_is_gone_for_long() -> None:
    """Out after three heartbeats, with what was known; the settlement comes when it is back."""
    async with ykc() as rig:
        rig.plug(small_car(200))
        await rig.pile.start(1, order())
        status = await charging(rig)
        rig.caller.cut()
        await until(lambda: rig.status().state is PortState.OUT)
        reading = rig.pile.status()[1]
        assert reading.quality is Quality.STALE
        assert reading.value.order == status.order
        assert rig.pile.link().state is LinkState.OFFLINE
        await until(lambda: rig.twin.charges)
        rig.caller.may_call.set()
        (said,) = await settled(rig)
        assert said.energy_wh == 200


async def test_one_gun_without_heartbeats() -> None:
    """Its state was told when asked, so it lives; a heartbeat is a word, not the only one."""
    async with ykc(faults=["no-heartbeat"], pile={"poll_s": 60.0}) as rig:
        await until(lambda: rig.status(2).state is PortState.OUT)
        assert rig.status(1).state is PortState.IDLE
        await rig.pile.read_status(2)
        assert rig.status(2).state is PortState.IDLE


async def test_a_pile_that_says_nothing_is_hung_up() -> None:
    """A connection that only stands is no pile; it calls again."""
    async with ykc(pile={"answer_s": 0.3}) as rig:
        rig.fault("mute")
        with pytest.raises(Silent, match="no answer to ReadState"):
            await rig.pile.read_status(1)
        await until(lambda: rig.pile.link().state is LinkState.OFFLINE)
        rig.twin.faults.clear()
        await until(lambda: rig.counts["logins"] == 2)
        await until(lambda: rig.status().state is PortState.IDLE)


async def test_a_start_without_effect() -> None:
    """Given up after its time; should it begin after all, it is stopped."""
    async with ykc(faults=["no-effect:1"], pile={"shown_s": 0.3}) as rig:
        rig.plug(small_car(100))
        await rig.pile.start(1, order())
        await until(lambda: rig.status().reason == "starting")
        assert rig.status().order == order().number
        await until(lambda: told_to_stop(rig) == 1)
        assert rig.counts["unshown"] == 1
        assert rig.status().order is None


async def test_an_order_that_is_told_again_before_it_begins() -> None:
    """A call without an answer, then another: the pile says that it charges already, and means this very order."""
    async with ykc(twin={"begin_ms": 60_000}) as rig:
        rig.plug(small_car(50))
        await rig.pile.start(1, order())
        await rig.pile.start(1, order())
        (said,) = await settled(rig)
        assert (said.number, said.end) == (order().number, PortEnd.FULL)
        assert told_to_stop(rig) == 0


async def test_an_order_that_is_stopped_before_it_begins() -> None:
    """It never begins."""
    async with ykc(twin={"begin_ms": 60_000}) as rig:
        rig.plug(small_car(50))
        await rig.pile.start(1, order())
        await rig.pile.stop(1, order().number)
        await asyncio.sleep(0.5)
        assert rig.twin.guns[1].running is None
        assert rig.twin.charges == []


async def test_an_order_without_effect_beside_another() -> None:
    """What is given up is not what is stopped."""
    async with ykc(faults=["no-effect:1"], pile={"shown_s": 0.3}) as rig:
        rig.plug(small_car(30_000))
        await rig.pile.start(1, order())
        own = rig.twin.charge_offline(1, "00000000D14B0A54", rig.caller.now_ms)
        await until(lambda: rig.counts.get("unshown") == 1)
        status = await charging(rig)
        assert status.order == bytes.fromhex(own)
        await rig.pile.stop(1, order().number)
        assert told_to_stop(rig) == 0


async def test_a_plug_that_comes_late() -> None:
    """Refused and told so: the success that follows within a minute is stopped, and its bill comes."""
    async with ykc(faults=["late-plug:1:20000"]) as rig:
        rig.plug(small_car(30_000))
        with pytest.raises(DeviceFault, match="not plugged"):
            await rig.pile.start(1, order())
        (said,) = await settled(rig)
        assert (said.number, said.end) == (order().number, PortEnd.STOPPED)
        assert rig.counts["stopped-here"] >= 1


async def test_a_stop_that_is_not_heard() -> None:
    """A time-out; said again it works."""
    async with ykc(faults=["stop-deaf:1"], pile={"answer_s": 0.3}) as rig:
        rig.plug(small_car(30_000))
        await rig.pile.start(1, order())
        await charging(rig)
        with pytest.raises(Silent, match="Stop"):
            await rig.pile.stop(1, order().number)
        await rig.pile.stop(1, order().number)
        await settled(rig)


async def test_a_pile_that_does_not_mind_the_balance() -> None:
    """It is stopped when its own sum is above what was paid."""
    async with ykc(faults=["overruns"]) as rig:
        rig.plug(small_car(30_000))
        await rig.pile.start(1, order(prepaid_fen=60))
        (said,) = await settled(rig)
        assert said.end is PortEnd.STOPPED
        assert said.amount_fen > 60


async def test_a_pile_that_shows_idle_while_it_charges() -> None:
    """An order that was never seen is given up and stopped, and its bill comes."""
    async with ykc(faults=["shows-idle"], pile={"shown_s": 0.3}) as rig:
        rig.plug(small_car(30_000))
        await rig.pile.start(1, order())
        (said,) = await settled(rig)
        assert (said.number, said.end) == (order().number, PortEnd.STOPPED)


async def test_a_pile_that_takes_no_prices() -> None:
    """It is told again and again, and sells nothing."""
    async with ykc(faults=["prices-deaf"], ready=False) as rig:
        rig.plug()
        await until(lambda: rig.counts.get("failed", 0) >= 2 and rig.status() is not None)
        assert "refuses the prices" in (rig.pile.link().error or "")


async def test_a_pile_with_a_wrong_clock() -> None:
    """Its bill has its own times; that it is off is known."""
    async with ykc(faults=["clock-off:*:7200"]) as rig:
        said = await one_charge(rig)
        began_ms = rig.unix_ms() or 0
        assert said.began_ms > began_ms + 6_000_000
        assert rig.counts["clock"] >= 1


async def test_an_ill_pile() -> None:
    """Faulty guns are told apart from those at rest."""
    async with ykc() as rig:
        rig.fault("ill")
        await until(lambda: rig.status().state is PortState.FAULT)
        rig.twin.faults.clear()
        await until(lambda: rig.status().state is PortState.IDLE)


async def test_frames_that_are_damaged() -> None:
    """One in five is lost: it charges and settles all the same."""
    async with ykc(pile={"answer_s": 0.3}) as rig:
        rig.plug(small_car(50))
        await rig.pile.start(1, order())
        rig.twin.faults.set(PileFault(kind=PileFaultKind.GARBLE, chance_permille=200))
        (said,) = await settled(rig)
        await rig.pile.acknowledge(said)
        await until(lambda: not rig.twin.bills)
        assert said.energy_wh == 50


def test_every_fault_of_the_twin_is_in_a_test_here() -> None:
    """By its name."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_ykc*.py"))
    missing = [kind.value for kind in PileFaultKind if f'"{kind.value}' not in text and kind.name not in text]
    assert missing == []


async def test_an_order_without_effect_is_stopped_after_a_restart() -> None:
    """A new process does not know what the old one told: the idle gun is told to stop all the same."""
    async with ykc(faults=["no-effect:1"], pile={"shown_s": 60}) as rig:
        rig.plug(small_car(100))
        await rig.pile.start(1, order())
        await rig.gateway_gone()
        await rig.gateway_back()
        await until(lambda: rig.status() is not None)
        await rig.pile.stop(1, order().number)
        assert told_to_stop(rig) == 1
        await rig.pile.stop(1, order().number)
