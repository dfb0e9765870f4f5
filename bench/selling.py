"""A site that sells without a link, as the daemon puts one together: taps, a real journal, and twins on Modbus TCP.

`python -m bench.selling FOLDER PORT SESSIONS` sells on one connector, for whoever watches the process from outside.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.headquarters import PRICES
from bench.processes import written_bytes
from bench.run import wait
from drivers.api import Charger, ChargerLimits, ChargerStatus, Link, Meter, Point, Reading
from drivers.line import Line, LineConfig
from drivers.registry import DeviceConfig, build_device
from edge import clock as clocks
from edge.clock import Clock
from edge.desk import Desk
from edge.journal.journal import Journal
from edge.journal.step import Step
from edge.meter_record import MeterRecorder
from edge.plant.drive import Drive
from edge.plant.watch import Outlet, Watch
from edge.site import Site
from edge.till.policy import Policy
from protocols.proof.ocmf import SoftwareSigner
from protocols.trade.codec import encode
from protocols.trade.documents import TARIFF, Document
from protocols.trade.grants import CredentialKey, Grant, hide_credential, join
from protocols.trade.records import CNY, Draft, EpochOpened

SITE = "bench-tap"
CONNECTORS = 4
POLL_S = 0.1
RAW_BYTES = 4096
WAIT_S = 15.0
KEY = CredentialKey(1, bytes(32))
MARK, SECOND_COPY = "mark", "second-copy"
"""Names in the folder: of the file whose fsync says in a trace that selling begins and ends, and of the second copy."""


@dataclass(slots=True)
class Sold:
    """What came of some sessions. Times are from the tap, one for each; before it, meter_ms: of asking the meter, and
    raw_ms: of one append to a file with its fsync.

    written: bytes towards the disk, by the kernel.
    """

    sessions: int = 0
    meter_ms: list[float] = field(default_factory=list)
    raw_ms: list[float] = field(default_factory=list)
    durable_ms: list[float] = field(default_factory=list)
    told_ms: list[float] = field(default_factory=list)
    obeys_ms: list[float] = field(default_factory=list)
    fsyncs: int = 0
    record_bytes: int = 0
    written: int = 0


async def sell(
    folder: Path,
    port: int,
    sessions: int,
    connectors: int,
    *,
    measured: bool = False,
    second_copy: Path | None = None,
    mark: Callable[[], None] = lambda: None,
) -> Sold:
    """So many whole sessions, on so many connectors at once. port: of the twins' line. mark: called before and after.

    measured: beside its parts. second_copy: a folder for it.
    """
    async with _site(folder, port, connectors, second_copy) as (site, journal, chargers):
        sold = Sold()
        numbers = iter(range(sessions))
        fsyncs, record_bytes, written = journal.counters.fsyncs, journal.counters.record_bytes, written_bytes()
        mark()
        async with asyncio.TaskGroup() as group:
            for connector, charger in chargers.items():
                raw = folder / f"raw-{connector}" if measured else None
                group.create_task(_sell_on(site, connector, charger, numbers, sold, raw))
        await _until(lambda: journal.size == journal.next_seq)
        mark()
        sold.fsyncs = journal.counters.fsyncs - fsyncs
        sold.record_bytes = journal.counters.record_bytes - record_bytes
        sold.written = written_bytes() - written
    return sold


async def _sell_on(
    site: Site, connector: str, charger: TimedCharger, numbers: Iterator[int], sold: Sold, raw: Path | None
) -> None:
    for number in numbers:
        await _until(lambda: site.desk.session_at(connector) is None)
        await asyncio.sleep(POLL_S + number * 37 % 100 / 250)  # nobody taps in step with the polls, or with another
        if raw is not None:  # right before each tap, what it cannot do without
            sold.raw_ms.append(await asyncio.to_thread(raw_append_ms, raw))
            began_s = time.perf_counter()
            await site.watch.read_now(connector)
            sold.meter_ms.append((time.perf_counter() - began_s) * 1000)
            await asyncio.sleep(POLL_S / 2)
        charger.forget()
        tapped_s = time.perf_counter()
        tapped = await site.tap(connector, connector)
        durable_s = time.perf_counter()
        assert tapped.session is not None, tapped.refused
        told_s, obeyed_s = await charger.obeyed
        sold.durable_ms.append((durable_s - tapped_s) * 1000)
        sold.told_ms.append((told_s - tapped_s) * 1000)
        sold.obeys_ms.append((obeyed_s - tapped_s) * 1000)
        await _until(lambda: _energy_wh(site, connector) > 0)
        await site.tap(connector, connector)
        sold.sessions += 1
    await _until(lambda: site.desk.session_at(connector) is None)


def raw_append_ms(path: Path) -> float:
    """One append of 4 KiB with its fsync, to a file of this disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        began_s = time.perf_counter()
        os.write(descriptor, bytes(RAW_BYTES))
        os.fsync(descriptor)
        return (time.perf_counter() - began_s) * 1000
    finally:
        os.close(descriptor)


def _energy_wh(site: Site, connector: str) -> int:
    found = site.desk.session_at(connector)
    return 0 if found is None else found[1].energy_wh


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not true():  # noqa: ASYNC110  # whoever makes it true does not know of us
            await asyncio.sleep(0.01)


class TimedCharger:
    """A charger that remembers when it was told to deliver, and when it had answered and shown that it obeys."""

    def __init__(self, charger: Charger) -> None:
        self._charger = charger
        self.id = charger.id
        self.profile_id = charger.profile_id
        self.stopped = False
        self.forget()

    def forget(self) -> None:
        """The next time it is told counts."""
        self.obeyed: asyncio.Future[tuple[float, float]] = asyncio.get_running_loop().create_future()

    @property
    def limits(self) -> ChargerLimits:
        return self._charger.limits

    def status(self) -> Reading[ChargerStatus]:
        return self._charger.status()

    async def allow(self, current_ma: int) -> None:
        told_s = time.perf_counter()
        await self._charger.allow(current_ma)
        if not self.obeyed.done():
            self.obeyed.set_result((told_s, time.perf_counter()))

    async def stop(self) -> None:
        await self._charger.stop()
        self.stopped = True

    def link(self) -> Link:
        return self._charger.link()

    def points(self) -> list[Point]:
        return self._charger.points()

    async def run(self) -> None:
        await self._charger.run()


@asynccontextmanager
async def _site(
    folder: Path, port: int, connectors: int, second_copy: Path | None
) -> AsyncIterator[tuple[Site, Journal, dict[str, TimedCharger]]]:
    """The daemon's own parts, put together as the daemon does, with cards that have value and no headquarters."""
    lines = [Line(LineConfig(id=f"line{number}", host="127.0.0.1", port=port)) for number in range(1, connectors + 1)]
    chargers: dict[str, TimedCharger] = {}
    outlets: dict[str, Outlet] = {}
    for number, line in enumerate(lines, 1):
        charger, meter = (
            build_device(
                DeviceConfig(id=f"{kind}{number}", line=line.id, profile=profile, unit=unit, poll_s=POLL_S), line
            )
            for kind, profile, unit in (
                ("charger", "victron-evcs", number),
                ("meter", "schneider-iem3155", 100 + number),
            )
        )
        assert isinstance(charger, Charger)
        assert isinstance(meter, Meter)
        chargers[f"c{number}"] = TimedCharger(charger)
        outlets[f"c{number}"] = Outlet(f"c{number}", chargers[f"c{number}"], meter, meter.id)
    clock = Clock(clocks.system())
    log_key = Ed25519PrivateKey.generate()
    path = folder / "journal.db"
    journal = Journal.create(path, SITE, 1, log_key, ballast_bytes=4096, second_copy=second_copy)
    opened = EpochOpened(SITE, 1, bytes(32), b"device key", b"certificate", "fieldtill bench")
    await journal.commit(Step(journal.seal([Draft(opened)], clock.stamp())))
    recorder = MeterRecorder(SoftwareSigner(ec.generate_private_key(ec.SECP256R1())), "bench")
    desk = Desk(journal, clock, Policy(), {name: outlet.place() for name, outlet in outlets.items()}, recorder)
    drives = {name: Drive(name, outlet.charger, partial(desk.wants_delivery, name)) for name, outlet in outlets.items()}
    site = Site(desk, Watch(clock, outlets), clock, drives, KEY)
    await site.take_documents([encode(Document(TARIFF, SITE, 1, encode(PRICES), bytes(64)))])
    await site.take_grants([_grant(name) for name in chargers])
    work = [line.run() for line in lines] + [outlet.charger.run() for outlet in outlets.values()]
    work += [outlet.meter.run() for outlet in outlets.values()] + [drive.run() for drive in drives.values()]
    tasks = [asyncio.create_task(one) for one in (*work, site.run())]
    try:
        await _until(
            lambda: all(
                sight.status is not None and sight.register is not None for sight in site.watch.sights().values()
            )
        )
        await _until(lambda: all(charger.stopped for charger in chargers.values()))
        yield site, journal, chargers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await journal.close()


def _grant(card: str) -> bytes:
    """Value without end for one card. Nobody checks signatures behind the uplink, which is not part of this."""
    return join(
        Grant(card, CNY, SITE, 1, 1, 10**9, 0, 2**40, 0, 10**9, KEY.version, [hide_credential(KEY, card)]), bytes(64)
    )


def write_twins(folder: Path) -> Path:
    """Chargers with cars that never get full, and their meters, on one Modbus TCP port."""
    text = '[[line]]\nid = "tcp"\nkind = "tcp"\n'
    for number in range(1, CONNECTORS + 1):
        car = "{ capacity_wh = 100_000_000, energy_wh = 0, power_w_max = 22_000 }"
        text += f'[[outlet]]\nid = "c{number}"\ncar = {car}\n'
        text += f'[[device]]\nid = "charger{number}"\nline = "tcp"\nprofile = "victron-evcs"\nunit = {number}\n'
        text += f'outlet = "c{number}"\n'
        text += (
            f'[[device]]\nid = "meter{number}"\nline = "tcp"\nprofile = "schneider-iem3155"\nunit = {100 + number}\n'
        )
        text += f'outlet = "c{number}"\n'
    path = folder / "twins.toml"
    path.write_text(text)
    return path


def main(folder: Path, port: int, sessions: int) -> None:
    """Sell on one connector, with a second copy, and mark the beginning and the end in the trace."""
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=sys.stderr))
    folder.mkdir()
    descriptor = os.open(folder / MARK, os.O_WRONLY | os.O_CREAT)
    copy = folder / SECOND_COPY
    wait(sell(folder, port, sessions, connectors=1, second_copy=copy, mark=lambda: os.fsync(descriptor)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
