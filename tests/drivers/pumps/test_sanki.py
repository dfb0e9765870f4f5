"""Sanki: the driver and a simulated pump on one paced line, filling after filling, as the field describes them."""

from __future__ import annotations

import asyncio
import re
import tomllib
from pathlib import Path

import msgspec
import one_nozzle_rig
import pytest
from one_nozzle_rig import PRICE_E3, Station, fills_litres, order, station

from drivers.api import Quality
from drivers.errors import Misconfigured, Transient, Unsupported
from drivers.line import Line, LineConfig
from drivers.pump import NozzleTotal, Order, Pump, PumpState, Sale
from drivers.pumps import sanki_talk
from drivers.pumps.config import WIRES, NozzleConfig, PumpConfig
from drivers.pumps.sanki import SankiOptions, SankiPump, probe
from drivers.twins.pumps.customer import drives_off, fills, pauses, returns_nozzle
from drivers.twins.pumps.parts import Head, Phase, Preset
from protocols.door import Refused, check
from protocols.fieldbus.sanki_app import Command

HOSTED = {"host_mode": "hand"}  # a pump that needs not be told, for tests without `run`


def asked(site: Station, command: Command) -> int:
    return [request.command for request in site.twin.asked].count(command)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated pump answers within milliseconds; what it does not answer need not be waited for long."""
    monkeypatch.setitem(one_nozzle_rig.FASTER, "timeout_ms", 100)
    monkeypatch.setattr(sanki_talk, "LATE_S", 0.05)


async def test_it_is_a_pump() -> None:
    """By the contract of `drivers.pump`, and says what it can."""
    async with station("sanki") as site:
        assert isinstance(site.driver, Pump)
        traits = site.driver.traits
        assert (traits.nozzles, traits.can_suspend, traits.lift_first) == ((1,), False, False)
        assert (traits.volume_max_ml, traits.amount_max_fen, traits.price_max_e3) == (9_999_990, 999_999, 9_999_000)
        assert traits.total_ml_wraps == 100_000_000_000
        assert site.driver.status().quality is Quality.NONE


@pytest.mark.parametrize(
    ("what", "litres", "sold"),
    [
        (order("amount", 10_000), 50, Sale(1, 12_740, 10_000, PRICE_E3)),  # 100 yuan are 12.7388 L
        (order("volume", 20_000), 50, Sale(1, 20_000, 15_700, PRICE_E3)),
        (order("volume", 20_000), 7, Sale(1, 7_000, 5_495, PRICE_E3)),  # hung up before the limit
        (order("full"), 15, Sale(1, 15_000, 11_775, PRICE_E3)),
    ],
    ids=["amount", "volume", "hung up early", "full"],
)
async def test_fillings(what: Order, litres: int, sold: Sale) -> None:
    """Sale, totals and display agree to the mL and the fen."""
    async with station("sanki", baud=9600, twin=HOSTED) as site:
        assert await site.total() == NozzleTotal(55_030, 18_736)
        assert await site.sell(what, fills_litres(litres)) == sold
        assert await site.total() == NozzleTotal(55_030 + sold.volume_ml, 18_736 + sold.amount_fen)
        assert asked(site, Command.DELETE_SALE) == 0


async def test_fillings_one_after_the_other() -> None:
    """While the driver polls by itself, having told the pump that it has a host."""
    async with station("sanki") as site:
        polling = asyncio.create_task(site.driver.run())
        await site.until(PumpState.IDLE)
        for litres in (3, 5, 8):
            sale = await site.sell(order("full"), fills_litres(litres))
            assert sale.volume_ml == litres * 1000
        assert asked(site, Command.HOST_MODE) == 1
        assert site.driver.status().quality is Quality.GOOD
        points = {point.name: point.value for point in site.driver.points()}
        assert (points["state"], points["total 1"]) == ("idle (00 hung up)", "71030 mL, 31296 fen")
        polling.cancel()
    assert site.pump.delivered_ul == {1: 16_000_000}


async def test_states_of_a_filling() -> None:
    """Authorised until fuel flows, a volume that grows, ended with the sale, idle after the release."""
    async with station("sanki", speed=10, twin=HOSTED) as site:
        assert (await site.until(PumpState.IDLE)).nozzle_out is False
        await site.driver.authorise(order("volume", 3_000))
        status = await site.until(PumpState.AUTHORISED)
        assert (status.nozzle, status.volume_ml, status.reason) == (1, None, "33 authorised")
        site.bay.add(pauses(1, [1_000, 1_000, 1_000]))
        await site.until_true(lambda status: status.reason == "44 busy")
        volumes = []
        while (status := await site.until(*PumpState)).state is not PumpState.ENDED:
            volumes.append(status.volume_ml or 0)
        assert volumes == sorted(volumes)
        assert any(0 < volume < 3_000 for volume in volumes)
        assert (status.volume_ml, status.amount_fen, status.reason) == (3_000, 2_355, "11 limit")
        await site.driver.release()
        assert (await site.until(PumpState.IDLE)).volume_ml is None


async def test_a_lifted_nozzle_calls_and_may_be_authorised() -> None:
    """The customer is first at the pump, then at the till."""
    async with station("sanki", twin=HOSTED) as site:
        site.bay.add(fills_litres(4))
        status = await site.until(PumpState.CALLING)
        assert (status.nozzle, status.nozzle_out) == (1, True)
        await site.driver.authorise(order("full"))
        await site.until(PumpState.ENDED)
        assert await site.driver.read_sale() == Sale(1, 4_000, 3_140, PRICE_E3)


async def test_a_zero_sale() -> None:
    """The nozzle is hung up before anything flows; the totals stand still, whatever the record says."""
    async with station("sanki", twin=HOSTED, head=Head(remembers_zero=False)) as site:
        await site.sell(order("full"), fills_litres(2))
        before = await site.total()
        await site.driver.authorise(order("amount", 5_000))
        site.bay.add(returns_nozzle(1))
        await site.until(PumpState.ENDED)
        assert await site.total() == before
        assert await site.driver.read_sale() == Sale(1, 2_000, 1_570, PRICE_E3)  # that of before


async def test_stop_takes_an_authorisation_back() -> None:
    """By the word for that, and harmless before and after."""
    async with station("sanki", twin=HOSTED) as site:
        await site.driver.stop()
        await site.driver.authorise(order("full"))
        await site.driver.stop()
        await site.driver.stop()
        assert (await site.until(*PumpState)).state is PumpState.ENDED
        assert asked(site, Command.STOP) == 0
        await site.driver.release()
        await site.until(PumpState.IDLE)


async def test_stop_in_mid_sale() -> None:
    """What has flowed is the sale, the last drops of a slow valve included, and needs no nozzle in."""
    async with station("sanki", head=Head(overrun_ml=30), speed=10, twin=HOSTED) as site:
        before = await site.total()
        await site.driver.authorise(order("full"))
        site.bay.add(drives_off(1, after_ms=1_000))
        await site.until_true(lambda status: (status.volume_ml or 0) > 1_000)
        await site.driver.stop()
        assert (await site.until(PumpState.ENDED)).reason in ("22 reset", "00 hung up")
        sale, after = await site.driver.read_sale(), await site.total()
        assert sale is not None
        assert sale.volume_ml > 1_000
        assert after.volume_ml - before.volume_ml == sale.volume_ml


async def test_a_new_customer_is_no_part_of_the_old_sale() -> None:
    """The nozzle is lifted again before the sale was stored: it is still that sale that stands there."""
    async with station("sanki", twin=HOSTED) as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(2))
        await site.until(PumpState.ENDED)
        site.pump.lift(1)
        status = await site.until(*PumpState)
        assert (status.state, status.nozzle_out) == (PumpState.ENDED, True)
        await site.driver.release()
        await site.until(PumpState.CALLING)


# What is not done, and why.


async def test_a_price_is_set_and_shown() -> None:
    """With its reciprocal; it returns when the pump shows it, and is not sent again."""
    async with station("sanki", twin=HOSTED) as site:
        assert await site.driver.read_prices() == {1: PRICE_E3}
        await site.driver.set_prices({1: 345_000})
        await site.driver.set_prices({1: 345_000})
        assert await site.driver.read_prices() == {1: 345_000}
        assert [request.data.hex() for request in site.twin.asked] == ["034500289855"]


@pytest.mark.parametrize("price_e3", [785_500, 10_000_000, 1_000, 0])
async def test_prices_that_the_pump_cannot_show(price_e3: int) -> None:
    """Nothing is sent: it would charge another one."""
    async with station("sanki", twin=HOSTED) as site:
        with pytest.raises(Misconfigured, match="price"):
            await site.driver.set_prices({1: price_e3})
        assert site.twin.asked == []


async def test_no_price_in_mid_sale() -> None:
    """Nor while the last sale is not stored."""
    async with station("sanki", speed=10, twin=HOSTED) as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(2))
        for state in (PumpState.DELIVERING, PumpState.ENDED):
            await site.until(state)
            with pytest.raises(Transient, match="takes prices when idle"):
                await site.driver.set_prices({1: 799_000})


@pytest.mark.usefixtures("impatient")
async def test_lost_prices_are_seen_and_set() -> None:
    """A pump that shows 0 sells nothing until it is given its price."""
    async with station("sanki", twin=HOSTED, price_e3=None) as site:
        assert await site.driver.read_prices() == {}
        await site.until(PumpState.UNPRICED)
        with pytest.raises(Misconfigured, match="shows the price 0"):
            await site.driver.authorise(order("full"))
        await site.driver.set_prices({1: PRICE_E3})
        await site.until(PumpState.IDLE)
        assert await site.driver.read_prices() == {1: PRICE_E3}


async def test_a_wrong_price_stops_the_authorisation() -> None:
    """The pump shows another price than the order says."""
    async with station("sanki", twin=HOSTED) as site:
        with pytest.raises(Misconfigured, match="shows the price 785000"):
            await site.driver.authorise(order("full", price_e3=799_000))
        assert site.pump.phase is Phase.IDLE


@pytest.mark.parametrize(
    "what",
    [order("amount", 1_000_000), order("volume", 5), Order("full", 0, (1, 2), {1: PRICE_E3, 2: PRICE_E3})],
)
async def test_orders_that_the_pump_has_no_digits_for(what: Order) -> None:
    """Refused before anything is sent. A preset of nothing might be no limit at all."""
    async with station("sanki", twin=HOSTED) as site:
        with pytest.raises(Misconfigured, match="ordered"):
            await site.driver.authorise(what)
        assert site.twin.asked == []


async def test_there_is_no_pause() -> None:
    """No source has a word for it."""
    async with station("sanki") as site:
        for act in (site.driver.suspend, site.driver.resume):
            with pytest.raises(Unsupported):
                await act()


async def test_nothing_is_read_in_mid_sale() -> None:
    """No totals, no sale, no second authorisation while fuel flows."""
    async with station("sanki", speed=5, twin=HOSTED) as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(10))
        await site.until(PumpState.DELIVERING)
        assert await site.driver.read_sale() is None
        with pytest.raises(Transient, match="totals"):
            await site.driver.read_totals()
        with pytest.raises(Transient, match="under way"):
            await site.driver.authorise(order("full"))
        await site.driver.release()
        assert site.pump.phase is Phase.DELIVERING


# Presets and chain bytes.


@pytest.mark.parametrize(("what", "sold_ml"), [(order("volume", 2_000), 2_000), (order("full"), 60_000)])
async def test_a_preset_that_stands_is_cancelled_first(what: Order, sold_ml: int) -> None:
    """Somebody has left one of 50 L: it must not become the limit of this sale."""
    async with station("sanki", twin=HOSTED) as site:
        site.twin.set_at_panel(Preset("volume", 50_000))
        sale = await site.sell(what, fills_litres(60))
        assert sale.volume_ml == sold_ml


async def test_every_preset_and_authorisation_has_its_own_chain_byte() -> None:
    """Steps of 11h, without 66. The first is of a preset that is cancelled at once."""
    async with station("sanki", twin=HOSTED) as site:
        for _ in range(4):
            await site.sell(order("volume", 1_000), fills(1))
        chained = (Command.PRESET_VOLUME, Command.AUTHORISE)
        seen = [request.data[-1:].hex() for request in site.twin.asked if request.command in chained]
        assert seen == ["11", "22", "33", "44", "55", "77", "88", "00", "11"]
        assert [request.command for request in site.twin.asked if request.command != Command.TOTALS][:4] == [
            Command.PRESET_VOLUME,
            Command.CANCEL,
            Command.PRESET_VOLUME,
            Command.AUTHORISE,
        ]


async def test_a_head_that_needs_no_authorisation_after_a_preset() -> None:
    """The status says that it is authorised already; a second one is not sent."""
    async with station("sanki", twin={**HOSTED, "preset_authorises": True}) as site:
        for _ in range(2):
            assert (await site.sell(order("volume", 1_000), fills(1))).volume_ml == 1_000
        assert asked(site, Command.AUTHORISE) == 0


# Heads differ.


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("host_mode", ["command", "hand", "deaf"])
@pytest.mark.parametrize("short_by", [0, 1])
async def test_host_mode(host_mode: str, short_by: int) -> None:
    """Told, refused or not answered, in either length: the pump sells."""
    async with station("sanki", twin={"host_mode": host_mode, "short_by": short_by}) as site:
        polling = asyncio.create_task(site.driver.run())
        await site.until_true(lambda _: asked(site, Command.HOST_MODE) > 0)
        await site.sell(order("volume", 1_000), fills(1))
        polling.cancel()


async def test_host_mode_set_by_hand() -> None:
    """By option it is not sent."""
    async with station("sanki", options={"host_mode": False}, twin=HOSTED) as site:
        polling = asyncio.create_task(site.driver.run())
        await site.sell(order("volume", 1_000), fills(1))
        polling.cancel()
        assert asked(site, Command.HOST_MODE) == 0


async def test_a_record_is_deleted_by_option() -> None:
    """Once the sale is stored; then there is none."""
    async with station("sanki", options={"delete_sale": True}, twin=HOSTED) as site:
        await site.sell(order("volume", 1_000), fills(1))
        assert asked(site, Command.DELETE_SALE) == 1
        assert await site.driver.read_sale() is None


async def test_an_adapter_that_hears_itself() -> None:
    """A current loop's echo is no answer."""
    async with station("sanki", echo=True, twin=HOSTED) as site:
        sale = await site.sell(order("volume", 1_000), fills(1))
        assert sale.volume_ml == 1_000


async def test_scan_finds_a_pump() -> None:
    """By one harmless question, with the digits of the price that it shows."""
    async with station("sanki") as site:
        sign = await probe(site.line, 1, timeout_s=5.0)
        assert sign is not None
        assert (sign.address, sign.state, sign.notes) == (1, "00 hung up", ("price digits 785",))
        assert await probe(site.line, 2, timeout_s=0.1) is None


def test_config_is_checked_at_the_door() -> None:
    """One fuelling point is one nozzle."""
    nozzles = (NozzleConfig(number=1, grade="92"), NozzleConfig(number=2, grade="95"))
    config = PumpConfig(id="p", number=1, protocol="sanki", address=1, nozzles=nozzles, line="l")
    with pytest.raises(Refused, match="one: a fuelling point is one nozzle"):
        SankiPump(Line(LineConfig(id="l", path="/dev/null")), config)


def test_docs_have_every_option_and_a_config_that_loads() -> None:
    """docs/sanki.md: its tables and its example."""
    text = (Path(__file__).parents[3] / "docs" / "sanki.md").read_text()
    for field in msgspec.structs.fields(SankiOptions):
        shown = "none" if field.default is None else str(field.default).lower()
        assert re.search(rf"\| `{field.name}` \| `?{shown}`? \|", text), field.name
    site = tomllib.loads(text.split("```toml")[1].split("```")[0])
    line = LineConfig(**site["line"][0])
    assert WIRES["sanki"].misfit(line) is None
    config, faults = check(site["pump"][0], PumpConfig)
    assert config is not None, faults
    SankiPump(Line(line), config)
