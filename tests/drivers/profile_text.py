"""Small profiles to test with, written as a site would write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.profile import Profile
from drivers.profile_load import parse

METER = """
[device]
id = "test-meter"
kind = "meter"
maker = "Test"
models = ["One"]
source = "tests"
confidence = "high"
[link.rtu]
[limits]
{limits}
[points]
{points}
[gives]
register = ["energy"]
"""
ENERGY = (
    'energy = { space = "input", addr = 0x48, type = "f32", unit = "kWh", resolution = "10 Wh", counter = "total" }'
)


def meter(points: str = "", limits: str = "", overrides: Mapping[str, Any] | None = None) -> Profile:
    """A meter with an energy register and whatever `points` adds, one per line."""
    return parse(METER.format(points=f"{ENERGY}\n{points}", limits=limits), source="test", overrides=overrides)
