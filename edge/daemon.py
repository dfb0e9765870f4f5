"""Puts the daemon together and keeps it running: hardware first, then the log, then everything that needs it.

Nothing waits for anything that may be dead: devices are polled from the first second, whoever answers; without an epoch
the box goes on asking headquarters for one; without a link it sells within its rights.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from drivers.ports.config import UnixMs
from drivers.readers.registry import build_reader
from edge import clock as clocks
from edge.carried import Codes
from edge.clock import Clock, System
from edge.config import Config
from edge.counter import counter_of, shares_medium
from edge.daemon_state import Daemon
from edge.desk import Desk
from edge.enrolment import SOFTWARE, open_log
from edge.epochs import until_over
from edge.forecourt import taps
from edge.forecourt.setup import set_up
from edge.journal.journal import Journal
from edge.journal.prune import Pruner, prune_quietly
from edge.keys import KeyRing
from edge.link_news import LinkNews
from edge.meter_signer import measurement_recorder_of, recorder_of
from edge.metrics import serve_metrics
from edge.panel.server import check_socket, serve_panel
from edge.plant.drive import Drive
from edge.plant.power import Car, Power
from edge.plant.watch import Watch
from edge.ports import taps as port_taps
from edge.ports.setup import set_up_ports
from edge.premises import Premises, build
from edge.reader import Tap, read_cards
from edge.rollback import Guard
from edge.service import Watchdog, in_words, ready, stopping
from edge.shop.charging import set_up_charging
from edge.shop.setup import set_up as set_up_shop
from edge.site import Site
from edge.sync import trust
from edge.sync.quick import Quick
from edge.sync.uplink import Uplink
from protocols.door import Fault, Refused
from protocols.trade.codec import BYTES_MAX, decode
from protocols.trade.records import ClockQuality, Record, Stamp

log = structlog.get_logger()


async def serve(config: Config, system: System | None = None) -> bool:
    """Run until SIGTERM or SIGINT; or until the epoch is over: then True, to be run again. system: the clocks; None:
    this box's.

    Raises what the daemon cannot live with: a config that does not fit, a damaged journal, a failed disk.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    system = system or clocks.system()
    premises = prepare(config, lambda: told_to_boards(daemon.clock))
    daemon = Daemon(config, premises, Clock(system), system.mono_ms(), fed_ms=system.mono_ms())
    try:
        async with asyncio.TaskGroup() as group:

            def keep(name: str, work: Coroutine[Any, Any, None]) -> None:
                daemon.tasks.append(group.create_task(work, name=name))

            for line in daemon.premises.carriers():
                keep(f"line {line.id}", line.run())
            for device in daemon.premises.everything():
                keep(f"device {device.id}", device.run())
            keep("link news", LinkNews(daemon.premises).run())
            keep("panel", serve_panel(daemon))
            if config.metrics is not None:
                keep("metrics", serve_metrics(daemon, config.metrics))
            if config.page is not None:
                from edge.page.server import serve_page  # with what it needs: a box without a page never pays for it

                keep("page", serve_page(daemon, config.page))
            keep("watchdog", Watchdog(daemon).run())
            keep("till", _sell(daemon, system, keep, stop))
            await stop.wait()
            stopping()
            log.info("stopping")
            if daemon.site is not None:
                await daemon.site.save()
            for task in daemon.tasks:
                task.cancel()
    finally:
        if daemon.journal is not None:
            await daemon.journal.close()
    log.info("stopped")
    return daemon.epoch_over


def prepare(config: Config, unix_ms: UnixMs = lambda: None) -> Premises:
    """Everything that can be wrong with a config before anything is opened. Raises Refused with every fault.

    unix_ms: the time for boards that ask; None: not known well enough.
    """
    faults: list[Fault] = []
    premises: Premises | None = None
    try:
        premises = build(config, unix_ms)
    except Refused as refused:
        faults += refused.faults
    if config.hq is not None:
        try:
            trust.load(Path(config.hq.keys_file))
        except Refused as refused:
            faults += [replace(fault, path=f"hq.keys_file {fault.path}".rstrip()) for fault in refused.faults]
    faults += check_socket(config)
    if premises is None or faults:
        raise Refused("config", faults)
    return premises


def told_to_boards(clock: Clock) -> int | None:
    """Unix ms for boards that ask what time it is; None: this box does not know either."""
    stamp = clock.stamp()
    return None if stamp.quality is ClockQuality.UNKNOWN else stamp.wall_ms


def last_stamp(journal: Journal) -> Stamp | None:
    """The newest stamp in the log, from which the clock goes on. None: no record yet."""
    newest = journal.read(journal.size - 1, 1, BYTES_MAX) if journal.size else []
    return decode(newest[0], Record).stamp if newest else None


async def _sell(
    daemon: Daemon, system: System, keep: Callable[[str, Coroutine[Any, Any, None]], None], stop: asyncio.Event
) -> None:
    """Open the log (asking for an epoch first where there is none), recover, and let customers in."""
    config = daemon.config
    ring = KeyRing(config.keys_dir)

    def say(what: str) -> None:
        if what != daemon.waiting_for:
            daemon.waiting_for = what
            log.warning("not selling yet", waiting_for=what)
            ready(f"waiting for {what}")  # devices are polled and the panel answers: this start-up is over

    journal, credential_key = await open_log(config, ring, daemon.clock, say)
    daemon.journal = journal
    daemon.clock = clock = Clock(system, last_stamp(journal))
    outlets = daemon.premises.outlets
    places = {name: outlet.place() for name, outlet in outlets.items()}
    desk = Desk(journal, clock, config.till, places, recorder_of(config, ring), Guard(counter_of(config.counter)))
    await desk.check_counter()
    if config.counter is not None and shares_medium(config.counter, Path(config.data_dir)):
        log.warning("the rollback counter lies on the journal's own disk and tells nothing", path=config.counter.path)
    power = None if config.budget is None else Power(config.budget, daemon.premises.meter(config.budget.meter))
    drives: dict[str, Drive] = {}
    for name, outlet in outlets.items():
        limit_ma = None if power is None else partial(power.limit_ma, name)
        drives[name] = Drive(name, outlet.charger, partial(desk.wants_delivery, name), limit_ma)
        if power is not None:
            power.add_car(name, Car(outlet.charger, outlet.meter, drives[name]))
    site = daemon.site = Site(desk, Watch(clock, outlets), clock, drives, credential_key)
    if config.hq is not None:
        daemon.uplink = Uplink.over_https(config.hq, journal, clock, ring, site)
        daemon.codes = Codes(site, daemon.uplink.believed)
        keep("uplink", daemon.uplink.run())
    if config.mqtt is not None:
        daemon.quick = Quick(config, site, daemon.uplink)
        keep("quick", daemon.quick.run())
    if power is not None:
        keep("power", power.run())
    for name, drive in drives.items():
        keep(f"drive {name}", drive.run())
    recorder = measurement_recorder_of(config, ring)
    islands = site.islands = set_up(config, site, daemon.premises, clock, recorder)
    if islands is not None:
        islands.keep(keep)
    numbers = {one.id: str(one.number) for one in config.cabinet if one.number is not None}
    shop = site.shop = set_up_shop(site, daemon.premises.cabinets, config.swap, clock, recorder, numbers)
    if shop is not None:
        shop.keep(keep)
        for name, charging in set_up_charging(shop, config.charging, power, clock).items():
            keep(f"charging {name}", charging.run())
    ports = site.ports = set_up_ports(site, daemon.premises.port_boards, config.ports, clock, recorder)
    if ports is not None:
        ports.keep(keep)
    for config_of in config.reader:
        reader = build_reader(config_of.set_up(config.cards))
        daemon.readers.append(reader)
        place = config_of.connector or config_of.cabinet or config_of.board or ""
        tap: Tap = partial(site.tap, place)
        if islands is not None and config_of.island:
            tap = partial(taps.tap, islands, config_of.island)
        if shop is not None and config_of.cabinet:
            tap = partial(shop.tap, config_of.cabinet)
        if ports is not None and config_of.board:
            tap = partial(port_taps.tap, ports, config_of.board)
        keep(f"reader {reader.id}", read_cards(reader, tap, None if daemon.codes is None else daemon.codes.take))
    keep("sessions", site.run())
    keep("epoch", _end_with_epoch(daemon, journal, desk, stop))
    if config.journal.retain_days:
        pruner = Pruner(journal, clock.stamp, config.journal.retain_days, SOFTWARE)
        keep("pruning", prune_quietly(pruner, journal))
    ready(in_words(daemon))
    log.info("serving", site=journal.site, epoch=journal.epoch, records=journal.size, sessions=len(desk.sessions()))


async def _end_with_epoch(daemon: Daemon, journal: Journal, desk: Desk, stop: asyncio.Event) -> None:
    """The log has had its last record, and headquarters all of it: the daemon begins again, with a new one."""
    await until_over(journal, lambda: desk.state.closed)
    daemon.epoch_over = True
    log.warning("the epoch is over: beginning again", epoch=journal.epoch)
    stop.set()
