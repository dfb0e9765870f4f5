"""A tank gauge on a real TCP line: what its registers say, and what they do not."""

from __future__ import annotations

import pytest

from drivers.api import Quality
from drivers.errors import DeviceError
from drivers.gauge import TankGauge, TankReading
from drivers.line import Line
from drivers.line_config import LineConfig
from drivers.registry import DeviceConfig, build_device
from drivers.twins import config as twin
from drivers.twins.site import TwinSite

SHOWN: list[tuple[str, dict[str, int | str], TankReading]] = [
    (
        "pneumercator-tms",
        {"volume": 12_345, "height": 1640, "water": 3, "temperature": "18.5"},
        TankReading(volume_ml=12_345_000, level_mm=1640, water_mm=3, temp_dc=185),
    ),
    (
        "probe-magnetostrictive",
        {"level": "1640.5", "water": 3, "temperature": "-2.5"},
        TankReading(volume_ml=None, level_mm=1640, water_mm=3, temp_dc=-25),
    ),
]


@pytest.mark.parametrize(("profile", "values", "reading"), SHOWN, ids=[profile for profile, _, _ in SHOWN])
async def test_what_a_gauge_shows(profile: str, values: dict[str, int | str], reading: TankReading) -> None:
    """In mL, mm and tenths of a degree; None for what it does not measure."""
    site = twin.SiteConfig(
        line=(twin.LineConfig(id="line", kind="rtu-over-tcp"),),
        outlet=(twin.OutletConfig(id="outlet"),),
        device=(twin.DeviceConfig(id="gauge", line="line", profile=profile, outlet="outlet", values=values),),
    )
    async with TwinSite(site) as served:
        host, port = str(served.port("line")).split(":")
        async with Line(LineConfig(id="line", host=host, port=int(port), framing="rtu")) as line:
            gauge = build_device(DeviceConfig(id="gauge", line="line", profile=profile), line)
            assert isinstance(gauge, TankGauge)
            assert gauge.reading().quality is Quality.NONE
            assert (await gauge.read_now()).value == reading
            assert gauge.reading().quality is Quality.GOOD


async def test_a_gauge_that_is_silent_says_nothing() -> None:
    """Nobody is at the other end."""
    async with Line(LineConfig(id="line", host="127.0.0.1", port=1)) as line:
        gauge = build_device(DeviceConfig(id="gauge", line="line", profile="pneumercator-tms"), line)
        assert isinstance(gauge, TankGauge)
        with pytest.raises(DeviceError):
            await gauge.read_now()
        assert gauge.reading().value is None
