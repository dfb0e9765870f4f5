"""When a shop is open: a table of hours and times."""

from __future__ import annotations

import msgspec
import pytest

from edge.till.hours import open_now
from edge.till.swap.policy import SwapPolicy
from protocols.trade.records import ClockQuality, Stamp


def at(text: str, quality: ClockQuality = ClockQuality.INFORMATIVE) -> Stamp:
    """A time of day in China."""
    hour, minute = map(int, text.split(":"))
    return Stamp(bytes(8), 0, ((hour - 8) % 24 * 60 + minute) * 60_000, quality, 0, None)


@pytest.mark.parametrize(
    ("hours", "time", "is_open"),
    [
        ((), "03:00", True),
        (("06:00-23:00",), "05:59", False),
        (("06:00-23:00",), "06:00", True),
        (("06:00-23:00",), "22:59", True),
        (("06:00-23:00",), "23:00", False),
        (("06:00-24:00",), "23:59", True),
        (("20:00-02:00",), "01:59", True),
        (("20:00-02:00",), "02:00", False),
        (("06:00-10:00", "16:00-20:00"), "12:00", False),
        (("06:00-10:00", "16:00-20:00"), "16:30", True),
        (("00:00-00:00",), "12:00", True),
    ],
)
def test_hours(hours: tuple[str, ...], time: str, is_open: bool) -> None:
    """From the first minute on, up to the last and not in it, over midnight too."""
    assert open_now(hours, 480, at(time)) is is_open


def test_a_clock_that_nobody_knows_keeps_nobody_out() -> None:
    """At night by a clock that is wrong."""
    assert open_now(("06:00-23:00",), 480, at("03:00", ClockQuality.UNKNOWN))


@pytest.mark.parametrize("text", ["6:00-23:00", "06:00", "06:00-25:00", "24:00-06:00", "06:00 - 23:00"])
def test_what_are_no_hours(text: str) -> None:
    """Refused with the config."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"hours": [text]}, SwapPolicy)
