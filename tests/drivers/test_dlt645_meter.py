"""A DL/T 645 meter on a real serial port: found by its address or by being alone, read, refused, silent."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from drivers.api import Meter, MeterReading, Quality
from drivers.dlt645_meter import Dlt645Meter
from drivers.errors import Garbled, Misconfigured, Silent, Unsupported
from drivers.line import Line, LineConfig
from drivers.registry import DeviceConfig, build_device
from protocols.fieldbus.dlt645 import Fault, Function, MeterEar, Request, answer_frame, read_answer, refusal_frame
from protocols.fieldbus.dlt645_frames import encode_address
from protocols.fieldbus.dlt645_items import FORWARD_TOTAL, POWER_TOTAL, VOLTAGE_A, VOLTAGE_B, item_of
from protocols.fieldbus.expect import NEED_MORE

ADDRESS = "123456789012"


class MeterOnAWall:
    """The device's role of the protocol, on the other end of a pty."""

    def __init__(self, address: str = ADDRESS) -> None:
        self.address = address
        self.values: dict[int, int | None] = {FORWARD_TOTAL: 1_234_567_800, POWER_TOTAL: 37_254, VOLTAGE_A: 231_900}
        self.fault: Fault | None = None
        self.answers = True
        self.asked: list[Request] = []
        self._ear = MeterEar(address)

    def hear(self, data: bytes) -> bytes:
        self._ear.receive_data(data)
        said = b""
        while (request := self._ear.next_event()) is not NEED_MORE:
            if isinstance(request, Request):
                self.asked.append(request)
                said += self._answer(request) if self.answers and request.wants_answer else b""
        return said

    def _answer(self, request: Request) -> bytes:
        if request.function == Function.READ_ADDRESS:
            return answer_frame(self.address, request.function, encode_address(self.address))
        identifier = request.identifier or 0
        item = item_of(identifier)
        if self.fault is not None:
            return refusal_frame(self.address, request.function, self.fault)
        if item is None or identifier not in self.values:
            return refusal_frame(self.address, request.function, Fault.NO_SUCH_DATA)
        return read_answer(self.address, identifier, item.encode(self.values[identifier]))


@asynccontextmanager
async def on_a_line(wall: MeterOnAWall) -> AsyncIterator[Line]:
    master, tail = os.openpty()
    tty.setraw(master)
    tty.setraw(tail)
    loop = asyncio.get_running_loop()
    loop.add_reader(master, lambda: os.write(master, wall.hear(os.read(master, 300))))
    try:
        async with Line(LineConfig(id="dlt", path=os.ttyname(tail), baud=2400, parity="E")) as line:
            yield line
    finally:
        loop.remove_reader(master)
        os.close(master)
        os.close(tail)


async def until(true: Callable[[], bool]) -> None:
    """The test's own time limit ends it."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.01)


async def test_a_named_meter_is_read() -> None:
    """Register and power in whole Wh and W, and the number on its plate."""
    async with on_a_line(MeterOnAWall()) as line:
        meter: Meter = Dlt645Meter(line, id="m", address=ADDRESS)
        assert meter.reading().quality is Quality.NONE
        reading = await meter.read_now()
        assert reading.quality is Quality.GOOD
        assert reading.value == MeterReading(123_456_780, None, ADDRESS)


async def test_a_meter_alone_on_its_line_tells_its_address() -> None:
    """Asked once, then by name."""
    wall = MeterOnAWall("000000000161")
    async with on_a_line(wall) as line:
        meter = Dlt645Meter(line, id="m")
        assert (await meter.read_now()).value == MeterReading(123_456_780, None, "000000000161")
        await meter.read_now()
        assert [request.function for request in wall.asked] == [Function.READ_ADDRESS, Function.READ, Function.READ]


async def test_it_is_polled_and_its_points_have_units() -> None:
    """What a technician sees; a phase that is not there is a dash, what it refuses says so."""
    wall = MeterOnAWall()
    wall.values[VOLTAGE_B] = None
    async with on_a_line(wall) as line:
        meter = Dlt645Meter(line, id="m", address=ADDRESS, poll_s=0.05)
        running = asyncio.create_task(meter.run())
        await until(lambda: len(wall.asked) >= 24 and meter.reading().value is not None)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert meter.reading().value == MeterReading(123_456_780, 3_725, ADDRESS)
        points = {point.name: point for point in meter.points()}
        assert points["register"].value == "123456780.0 Wh"
        assert points["power"].value == "3725.4 W"
        assert points["voltage A"].value == "231.900 V"
        assert (points["voltage B"].value, points["voltage B"].quality) == ("-", Quality.NONE)
        assert "NO_SUCH_DATA" in (points["frequency"].error or "")


async def test_silence_keeps_the_old_reading() -> None:
    """Its instant is that of the answer."""
    wall = MeterOnAWall()
    async with on_a_line(wall) as line:
        meter = Dlt645Meter(line, id="m", address=ADDRESS)
        before = await meter.read_now()
        wall.answers = False
        with pytest.raises(Silent):
            await meter.read_now()
        assert meter.reading().at_ms == before.at_ms


@pytest.mark.parametrize(
    ("fault", "error"), [(Fault.NO_SUCH_DATA, Unsupported), (Fault.PASSWORD | Fault.OTHER, Misconfigured)]
)
async def test_a_refusal_says_why(fault: Fault, error: type[Exception]) -> None:
    """No data is not a password; each has its remedy."""
    wall = MeterOnAWall()
    wall.fault = fault
    async with on_a_line(wall) as line:
        with pytest.raises(error, match=(fault & ~Fault.OTHER).name or ""):
            await Dlt645Meter(line, id="m", address=ADDRESS).read_now()


async def test_a_value_of_the_wrong_length_is_not_believed() -> None:
    """Two bytes for an energy are none."""

    class Odd(MeterOnAWall):
        def _answer(self, request: Request) -> bytes:
            return read_answer(self.address, request.identifier or 0, b"\x01\x02\x03")

    async with on_a_line(Odd()) as line:
        with pytest.raises(Garbled, match="00010000"):
            await Dlt645Meter(line, id="m", address=ADDRESS).read_now()


async def test_config_builds_it() -> None:
    """By the name of its protocol, where a Modbus meter has its profile."""
    async with on_a_line(MeterOnAWall()) as line:
        config = DeviceConfig(id="m", line="dlt", profile="dlt645-2007", address=ADDRESS)
        assert isinstance(build_device(config, line), Dlt645Meter)
