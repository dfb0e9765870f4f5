"""Pumps of an invented protocol on a real pty and a real port: pacing, several on a line, noise, a dark one."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.twins.faults import Piece
from drivers.twins.pty import wire_time_us
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import fills
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFault, PumpFaultKind, PumpFaults
from drivers.twins.pumps.parts import EndedBy, Nozzle
from drivers.twins.pumps.wire import PumpWire


class Letters:
    """Asked `<address>?` it says its address and its volume; asked `<address>!` it authorises. A line ends each."""

    def __init__(
        self, pump: Dispenser, address: int, faults: PumpFaults, options: Mapping[str, str | int | bool]
    ) -> None:
        self.pump, self.address, self.faults = pump, address, faults
        self.rest = b""

    def hear(self, data: bytes) -> Sequence[Piece]:
        *lines, self.rest = (self.rest + data).split(b"\n")
        said: list[Piece] = []
        for line in lines:
            if line == b"%d!" % self.address:
                self.pump.authorise()
            if line in (b"%d!" % self.address, b"%d?" % self.address):
                answer = b"%d %s %d\n" % (self.address, self.pump.phase.value.encode(), self.pump.shown_ml)
                said += self.faults.spoil(answer, line + b"\n")
        return said

    def silence(self) -> None:
        self.rest = b""


def letter_bay(address: int, *faults: PumpFault, speed: int = 1) -> Bay:
    pump = Dispenser([Nozzle(1, "92", 785_000)])
    bay = Bay(pump, id=str(address), faults=PumpFaults(pump, 1, faults), speed=speed)
    bay.twin = Letters(pump, address, bay.faults, {})
    return bay


@asynccontextmanager
async def opened(port: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """The host's end of a port of either kind."""
    loop = asyncio.get_running_loop()
    if ":" in port:
        host, _, number = port.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(number))
        try:
            yield reader, writer
        finally:
            writer.close()
        return
    fd = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(fd)
    reader = asyncio.StreamReader()
    ear, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", 0))
    mouth, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(os.dup(fd), "wb", 0))
    try:
        yield reader, asyncio.StreamWriter(mouth, protocol, reader, loop)
    finally:
        ear.close()
        mouth.close()
        await asyncio.sleep(0)


async def ask(port: str, words: bytes, lines: int = 1) -> bytes:
    async with opened(port) as (reader, writer):
        writer.write(words)
        return b"".join([await asyncio.wait_for(reader.readline(), 5) for _ in range(lines)])


@pytest.mark.parametrize("kind", ["pty", "tcp"])
async def test_several_on_one_line(kind: str) -> None:
    """Each pump hears everything and answers to its own address alone."""
    bays = [letter_bay(1), letter_bay(2), letter_bay(3)]
    async with PumpWire(bays, kind=kind) as wire:  # type: ignore[arg-type]  # one of the kinds
        assert await ask(wire.port, b"2?\n") == b"2 idle 0\n"
        assert await ask(wire.port, b"3!\n1?\n2?\n", 3) == b"1 idle 0\n2 idle 0\n3 authorised 0\n"
        assert bays[2].pump.sales == 1


async def test_as_slow_as_the_line() -> None:
    """At 5787 baud with parity a byte takes 1.9 ms, both ways; with ten bits it takes 1.73."""
    for bits in (11, 10):
        async with PumpWire([letter_bay(1)], baud=5787, bits=bits) as wire:
            loop = asyncio.get_running_loop()
            begun_s = loop.time()
            answer = await ask(wire.port, b"1?\n")
            assert loop.time() - begun_s >= wire_time_us(3 + len(answer), 5787, bits) / 1e6
            assert wire.stats.wire_us >= wire_time_us(3 + len(answer), 5787, bits)


async def test_the_host_hears_itself() -> None:
    """On an echoing line what was said comes back first."""
    for kind in ("pty", "tcp"):
        async with PumpWire([letter_bay(1)], kind=kind, echo=True) as wire:  # type: ignore[arg-type]  # as above
            assert await ask(wire.port, b"1?\n", 2) == b"1?\n1 idle 0\n"


async def test_half_a_question_is_forgotten() -> None:
    """After a silence the pump takes what comes as new."""
    async with PumpWire([letter_bay(1)]) as wire, opened(wire.port) as (reader, writer):
        writer.write(b"9")
        await asyncio.sleep(0.1)
        writer.write(b"1?\n")
        assert await asyncio.wait_for(reader.readline(), 5) == b"1 idle 0\n"


async def test_faults_on_the_wire() -> None:
    """A silent answer is none, a late one comes, a doubled one comes twice."""
    kinds = PumpFaultKind
    bay = letter_bay(1, PumpFault(kind=kinds.DUPLICATE, count=1), PumpFault(kind=kinds.LATE, count=1, amount=60))
    async with PumpWire([bay]) as wire:
        begun_s = asyncio.get_running_loop().time()
        assert await ask(wire.port, b"1?\n", 2) == b"1 idle 0\n" * 2
        assert asyncio.get_running_loop().time() - begun_s >= 0.06
        bay.faults.set(PumpFault(kind=kinds.SILENT, count=1))
        assert await ask(wire.port, b"1?\n1!\n") == b"1 authorised 0\n"


async def test_a_dark_pump_hears_nothing() -> None:
    """Neither answer nor effect; the others on the line go on."""
    bays = [letter_bay(1), letter_bay(2)]
    bays[0].pump.cut_power()
    async with PumpWire(bays, kind="tcp") as wire:
        assert await ask(wire.port, b"1!\n2?\n") == b"2 idle 0\n"
        bays[0].pump.return_power()
        assert await ask(wire.port, b"1?\n") == b"1 idle 0\n"


async def test_a_filling_at_speed() -> None:
    """Time runs while nobody asks: twenty litres flow in a fraction of a second, to the microlitre."""
    bay = letter_bay(1, speed=500)
    bay.add(fills(1, 20_000))
    async with PumpWire([bay], kind="tcp") as wire:
        await ask(wire.port, b"1!\n")
        for _ in range(400):
            if not bay.busy:
                break
            await asyncio.sleep(0.01)
        assert await ask(wire.port, b"1?\n") == b"1 ended 20000\n"
        assert (bay.sold[0].ul, bay.sold[0].ended_by) == (20_000_000, EndedBy.HUNG_UP)


async def test_a_link_and_a_line_that_comes_back(tmp_path: Path) -> None:
    """The symlink leads to the pty while it is there, and to the new one afterwards."""
    link = tmp_path / "ttyPumps"
    wire = PumpWire([letter_bay(1)], link=link)
    for _ in range(2):
        await wire.open()
        assert os.readlink(link) == wire.port
        assert await ask(str(link), b"1?\n") == b"1 idle 0\n"
        await wire.close()
        await wire.close()
        assert not link.is_symlink()
