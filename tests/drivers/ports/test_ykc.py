"""Charges through a YKC pile over real TCP: the driver at one end, a simulated pile at the other."""

from __future__ import annotations

import asyncio

import pytest
from ykc_rig import CODE, DEARER, MODEL, NOON, NOON_MS, charging, order, settled, small_car, until, ykc

from drivers.api import LinkState, Quality
from drivers.errors import DeviceFault, LineDown, Misconfigured, Transient, Unsupported
from drivers.port_board import PortBoard, PortEnd, PortOrder, PortState, order_number
from drivers.twins.car import UJ_PER_WH
from protocols.fieldbus.ykc_session import NoStart


async def test_a_charge_from_plug_to_settlement() -> None:
    """Started, seen, ended by the car, billed to the last Wh, acknowledged once."""
    async with ykc() as rig:
        assert isinstance(rig.pile, PortBoard)
        rig.plug(small_car(100))
        await until(lambda: rig.status().state is PortState.PLUGGED)
        await rig.pile.start(1, order())
        status = await charging(rig)
        assert status.order == order().number
        assert status.power_w == pytest.approx(7_000, abs=30)
        (said,) = await settled(rig)
        (truth,) = rig.twin.charges
        assert (said.port, said.number, said.end) == (1, order().number, PortEnd.FULL)
        assert said.energy_wh == truth.energy_wh == 100
        assert sum(part.energy_wh for part in said.parts) == 100
        assert said.register_wh is not None
        assert said.register_wh[1] - said.register_wh[0] in (100, 101)
        assert said.amount_fen == 12  # 0.1 kWh at 1.20
        assert said.began_ms == pytest.approx(NOON_MS + truth.began_ms, abs=5_000)
        assert said.elapsed_s == (truth.ended_ms - truth.began_ms) // 1000
        assert said.peak_w is not None
        await until(lambda: rig.status().state is PortState.FULL)
        await rig.pile.acknowledge(said)
        await until(lambda: not rig.twin.bills)
        assert rig.pile.settlements() == []
        await rig.pile.acknowledge(said)
        rig.unplug()
        await until(lambda: rig.status().state is PortState.IDLE)


async def test_a_charge_that_is_stopped() -> None:
    """The settlement names us as who ended it; stopping again, or another order, changes nothing."""
    async with ykc() as rig:
        rig.plug(small_car(30_000))
        await rig.pile.start(1, order())
        await charging(rig)
        await rig.pile.stop(1, order_number(3, 8))
        assert (await rig.pile.read_status(1)).value.state is PortState.CHARGING
        await rig.pile.stop(1, order().number)
        (said,) = await settled(rig)
        assert said.end is PortEnd.STOPPED
        await rig.pile.stop(1, order().number)


@pytest.mark.parametrize(
    ("changes", "least_wh", "most_wh"),
    [
        ({"kind": "energy", "limit": 200}, 200, 800),
        ({"kind": "time", "limit": 120}, 200, 800),
        ({"prepaid_fen": 60}, 500, 503),
        ({"time_max_s": 120}, 200, 800),
        ({"power_w_max": 3_000}, 0, 800),
    ],
    ids=lambda value: str(value),
)
async def test_what_an_order_may_deliver(changes: dict[str, object], least_wh: int, most_wh: int) -> None:
    """Money is the pile's to watch; time, energy and power are ours, at the next state that it tells."""
    async with ykc() as rig:
        rig.plug(small_car(30_000))
        await rig.pile.start(1, order(**changes))
        (said,) = await settled(rig)
        assert least_wh <= said.energy_wh <= most_wh
        assert said.end is (PortEnd.LIMIT if "prepaid_fen" in changes else PortEnd.STOPPED)


async def test_more_money() -> None:
    """A customer who pays more in mid-charge gets more."""
    async with ykc() as rig:
        rig.plug(small_car(30_000))
        await rig.pile.start(1, order(prepaid_fen=60))
        await charging(rig)
        await rig.pile.set_balance(1, order().number, 120)
        (said,) = await settled(rig)
        assert 1_000 <= said.energy_wh <= 1_003
        with pytest.raises(DeviceFault, match="does not charge"):
            await rig.pile.set_balance(1, order().number, 180)


async def test_two_guns() -> None:
    """Each has its own order, meter and settlement."""
    async with ykc() as rig:
        for gun in (1, 2):
            rig.plug(small_car(100 * gun), gun)
            await rig.pile.start(gun, order(gun))
        said = {one.port: one for one in await settled(rig, 2)}
        assert {port: one.energy_wh for port, one in said.items()} == {1: 100, 2: 200}
        assert said[2].number == order(2).number


async def test_starting_again_is_harmless() -> None:
    """The same number while it runs, and after its settlement, starts nothing."""
    async with ykc() as rig:
        rig.plug(small_car(300))
        await rig.pile.start(1, order())
        await charging(rig)
        await rig.pile.start(1, order())
        await settled(rig)
        await rig.pile.start(1, order())
        await rig.pile.acknowledge(rig.pile.settlements()[0])
        await rig.pile.start(1, order())
        assert len(rig.twin.charges) == 1
        assert rig.twin.guns[1].running is None


async def test_refusals() -> None:
    """With the pile's own word; nothing is left behind that could start."""
    async with ykc() as rig:
        with pytest.raises(DeviceFault, match="not plugged in"):
            await rig.pile.start(1, order())
        with pytest.raises(Misconfigured, match="gun from 1 to 2"):
            await rig.pile.start(3, order())
        with pytest.raises(Misconfigured, match="prepaid_fen"):
            await rig.pile.start(1, order(prepaid_fen=0))
        with pytest.raises(Misconfigured, match="no order number"):
            await rig.pile.start(1, order(number=b"\xff" * 16))
        with pytest.raises(Unsupported):
            await rig.pile.open_door(1)
        rig.plug()
        rig.fault("refuse:1:3")
        with pytest.raises(DeviceFault, match="does not start: fault"):
            await rig.pile.start(1, order())
        rig.fault("ill")
        with pytest.raises(DeviceFault, match="emergency stop"):
            await rig.pile.start(1, order())
        rig.twin.faults.clear()
        await rig.pile.start(1, order())
        await charging(rig)
        with pytest.raises(DeviceFault, match="another order"):
            await rig.pile.start(1, order(8))


async def test_without_prices_nothing_is_sold() -> None:
    """A pile may not charge before it has a model; with one it may."""
    async with ykc(prices=None, ready=False) as rig:
        rig.plug()
        await until(lambda: rig.status() is not None)
        with pytest.raises(Transient, match="no prices"):
            await rig.pile.start(1, order())
        rig.prices = MODEL
        await until(lambda: any(point.value == MODEL.model for point in rig.pile.points()))
        await rig.pile.start(1, order())


async def test_new_prices_wait_for_the_end_of_a_charge() -> None:
    """A charge has one model from its start to its bill."""
    async with ykc() as rig:
        rig.plug(small_car(200))
        await rig.pile.start(1, order())
        await charging(rig)
        rig.prices = DEARER
        (said,) = await settled(rig)
        assert said.amount_fen == 24  # 0.2 kWh at 1.20
        await until(lambda: rig.twin.model == DEARER)


async def test_what_a_technician_sees() -> None:
    """Version, model, clock, guns."""
    async with ykc() as rig:
        await until(lambda: rig.pile.clock_off is not None)
        points = {point.name: point.value for point in rig.pile.points()}
        assert points["software"] == "V4.1.50"
        assert points["version"] == "1.6"
        assert points["price model"] == "0100"
        assert points["gun 2"].startswith("idle (idle)")
        assert rig.pile.link().state is LinkState.ONLINE
        assert rig.pile.status()[1].quality is Quality.GOOD


async def test_before_it_calls() -> None:
    """Nothing is known, and nothing can be asked."""
    async with ykc(ready=False, listener={"peers": ("127.0.0.9",)}) as rig:
        await until(lambda: rig.listener.turned_away)
        assert rig.pile.status()[1].quality is Quality.NONE
        assert rig.pile.link().state is LinkState.NEW
        with pytest.raises(LineDown, match="not logged in"):
            await rig.pile.start(1, order())
        assert {point.value for point in rig.pile.points()} == {"-", "0"}


async def test_the_clock_is_set() -> None:
    """A pile that is off is told the time of its zone, and its being off is told to a person."""
    async with ykc(twin={"local": NOON.replace(hour=3)}) as rig:
        await until(lambda: rig.pile.clock_off is not None)
        assert rig.pile.clock_off is not None
        assert rig.pile.clock_off.total_seconds() == pytest.approx(-9 * 3600, abs=60)
        assert rig.twin.clock(rig.caller.now_ms).hour in (12, 13)
        assert rig.counts["clock"] == 1


async def test_a_card_at_the_pile() -> None:
    """The site says what it gets; by default nothing."""
    async with ykc() as rig:
        rig.plug(small_car(100))
        rig.twin.show_card(1, "00000000D14B0A54")
        await until(lambda: any(getattr(said, "granted", None) is False for said in rig.twin.asked))
        asked: list[tuple[str, int, str]] = []

        async def on_card(board: str, port: int, uid: str) -> PortOrder | str:
            asked.append((board, port, uid))
            return order(9, prepaid_fen=500)

        rig.pile.on_card = on_card
        rig.twin.show_card(1, "00000000D14B0A54")
        (said,) = await settled(rig)
        assert asked == [("pile-1", 1, "00000000D14B0A54")]
        assert (said.number, said.energy_wh) == (order(9).number, 100)


async def test_a_card_that_is_shown_twice() -> None:
    """Who asks again while the till decides gets one answer; a till that fails refuses."""
    async with ykc() as rig:
        rig.plug(small_car(20))
        decided = asyncio.Event()
        asked: list[str] = []

        async def on_card(board: str, port: int, uid: str) -> PortOrder | str:
            asked.append(uid)
            await decided.wait()
            return order(len(asked), prepaid_fen=500)

        rig.pile.on_card = on_card
        rig.twin.show_card(1, "1" * 16)
        await until(lambda: asked)
        rig.twin.show_card(1, "1" * 16)
        await until(lambda: rig.counts.get("requests-turned-away") == 1)
        decided.set()
        (said,) = await settled(rig)
        assert said.number == order(1).number

        async def broken(board: str, port: int, uid: str) -> PortOrder | str:
            raise ValueError("a fault of ours")

        rig.pile.on_card = broken
        rig.twin.show_card(1, "2" * 16)
        await until(lambda: any(getattr(said, "reason", None) == NoStart.PILE_STOPPED for said in rig.twin.asked))


async def test_a_charge_that_nobody_ordered() -> None:
    """A card that the pile knows by itself, without a link: its bill has the pile's own number."""
    async with ykc() as rig:
        rig.plug(small_car(50))
        rig.caller.cut()
        await until(lambda: not rig.caller.linked.is_set())
        own = rig.twin.charge_offline(1, "00000000D14B0A54", rig.caller.now_ms)
        await until(lambda: rig.twin.charges)
        rig.caller.may_call.set()
        (said,) = await settled(rig)
        assert said.number == bytes.fromhex(own)
        assert said.number.hex().startswith(CODE)
        assert said.energy_wh == rig.twin.charges[0].energy_uj // UJ_PER_WH


async def test_reboot_and_qr_prefix() -> None:
    """What else a platform can tell a pile."""
    async with ykc(pile={"qr_prefix": "https://example.org/p?no="}) as rig:
        await until(lambda: rig.twin.qr_prefix == "https://example.org/p?no=")
        calls = rig.caller.calls
        await rig.pile.reboot(now=True)
        await until(lambda: rig.caller.calls > calls)
        await until(lambda: rig.counts["logins"] == 2)
