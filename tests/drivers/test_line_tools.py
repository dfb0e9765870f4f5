"""Scan and raw bytes, for technicians, beside running polls."""

from __future__ import annotations

import asyncio
from pathlib import Path

from line_rig import PtyBus, ask, honest, read

from drivers.line import DevicePolicy, Line, LineConfig
from drivers.line_tools import raw, scan
from protocols.fieldbus.modbus import Answer, Framing, Request, exception_frame


def picky(request: Request) -> list[tuple[float, bytes]]:
    return [(0, exception_frame(Framing.RTU, request, 2))]


def garbled(request: Request) -> list[tuple[float, bytes]]:
    return [(0, b"\x05\x03\x02\xff")]


async def test_scan_lists_who_answers_while_polls_go_on(tmp_path: Path) -> None:
    """A value and a refusal are signs of life; bytes that are no answer are shown as such; silence is nobody."""
    async with (
        PtyBus(tmp_path / "by-id", {2: honest, 4: picky, 5: garbled}) as bus,
        Line(LineConfig(id="yard", path=str(bus.link), baud=115200)) as line,
    ):
        meter = line.attach("meter", DevicePolicy(timeout_s=10.0))

        async def poll() -> None:
            for address in range(20):
                assert await ask(meter, 2, read(address)) == Answer(registers=(address,))

        async def look() -> list[tuple[int, bool, str]]:
            return [(one.unit, one.sure, one.how) async for one in scan(line, units=range(1, 7), timeout_s=0.5)]

        found, _ = await asyncio.gather(look(), poll())
        assert [(unit, sure) for unit, sure, _ in found] == [(2, True), (4, True), (5, False)]
        assert "exception 2" in found[1][2]
        assert line.devices == [meter]


async def test_raw_bytes_go_out_and_everything_comes_back(tmp_path: Path) -> None:
    """What a technician types is sent as it is; what comes until silence is shown as it came; nothing is b""."""
    async with (
        PtyBus(tmp_path / "by-id", {1: honest}) as bus,
        Line(LineConfig(id="yard", path=str(bus.link), baud=115200)) as line,
    ):
        assert await raw(line, bytes.fromhex("01 03 00 05 00 01 94 0B"), timeout_s=0.5) == bytes.fromhex(
            "01 03 02 00 05 78 47"
        )
        assert await raw(line, b"\x68\xaa", timeout_s=0.05) == b""
        assert line.devices == []
