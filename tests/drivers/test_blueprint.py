"""The driver that is there to be copied works."""

from __future__ import annotations

import asyncio
import os
import tty

import pytest

from drivers._blueprint import BlueprintExpect, BlueprintMeter
from drivers.api import Meter, MeterReading, Quality
from drivers.errors import Silent
from drivers.line import Line, LineConfig
from protocols.fieldbus.expect import NEED_MORE


async def test_it_reads_a_meter_on_a_serial_port() -> None:
    """Polls, reads at command priority, and tells silence from a value."""
    master, tail = os.openpty()
    tty.setraw(master)
    tty.setraw(tail)
    loop, answers = asyncio.get_running_loop(), [b"noise\r\n12345 Wh 2300 W\r\n"]
    loop.add_reader(master, lambda: (os.read(master, 100), [os.write(master, answer) for answer in answers]))
    try:
        async with Line(LineConfig(id="l", path=os.ttyname(tail))) as line:
            meter: Meter = BlueprintMeter(line, id="m")
            assert meter.reading().quality is Quality.NONE
            assert (await meter.read_now()).value == MeterReading(12345, 2300)
            assert [point.value for point in meter.points()] == ["12345 Wh", "2300 W"]
            answers.clear()
            with pytest.raises(Silent):
                await meter.read_now()
            assert meter.reading().value == MeterReading(12345, 2300)
    finally:
        loop.remove_reader(master)
        os.close(master)
        os.close(tail)


def test_noise_is_counted_and_bounded() -> None:
    """Whatever arrives, the buffer stays small."""
    expect = BlueprintExpect()
    assert expect.feed(b"x" * 1000) is NEED_MORE
    assert expect.give_up() is NEED_MORE
    assert expect.discarded == {"noise": 1000}
