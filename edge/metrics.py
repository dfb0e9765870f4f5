"""What is counted for the operators' monitoring? Prometheus text on a local port, read from the daemon when asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import structlog

from drivers.api import LinkState
from edge.config import Metrics
from edge.daemon_state import Daemon
from edge.till.state import TillState
from protocols.trade.records import CNY

if TYPE_CHECKING:
    from prometheus_client.core import Metric

REQUEST_MAX = 8 * 1024
"""Longest request in bytes; a scraper sends some 300."""
CLIENT_S = 5.0

log = structlog.get_logger()


async def serve_metrics(daemon: Daemon, config: Metrics) -> None:
    """Serve until cancelled. A port that is taken, or a library that is missing, is told once; selling goes on."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(CLIENT_S):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(daemon, request))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever hangs up, falls asleep or floods is let go
        finally:
            writer.close()

    try:
        import prometheus_client  # noqa: F401  # missed now, not at the first scrape

        server = await asyncio.start_server(answer, config.host, config.port, limit=REQUEST_MAX)
    except (OSError, ImportError) as error:
        log.error("no metrics", host=config.host, port=config.port, error=str(error))
        return
    port = server.sockets[0].getsockname()[1]
    log.info("metrics", url=f"http://{config.host}:{port}/metrics")
    async with server:
        await server.serve_forever()


def render(daemon: Daemon) -> bytes:
    """The whole page."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Daemon(daemon))
    return generate_latest(registry)


def _response(daemon: Daemon, request: bytes) -> bytes:
    words = request.split(b" ", 2)
    if words[:2] == [b"GET", b"/metrics"]:
        status, kind, body = "200 OK", "text/plain; version=0.0.4; charset=utf-8", render(daemon)
    else:
        status, kind, body = "404 Not Found", "text/plain; charset=utf-8", b"GET /metrics\n"
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


class _Daemon:
    """The daemon as a collector: looked at when scraped, so that counting costs nothing in between."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def collect(self) -> Iterable[Metric]:
        yield from _field(self._daemon)
        yield from _till(self._daemon)
        yield from _journal(self._daemon)


def _field(daemon: Daemon) -> Iterable[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    online = GaugeMetricFamily("fieldtill_device_online", "Whether a device answers", labels=["device"])
    exchanges = CounterMetricFamily("fieldtill_exchanges", "Exchanges by what came of them", labels=["device", "kind"])
    latency = GaugeMetricFamily("fieldtill_exchange_p90_seconds", "Of answered requests", labels=["device"])
    for device in daemon.premises.everything():
        name, link = device.id, device.link()
        online.add_metric([name], link.state is LinkState.ONLINE)
        for kind, count in sorted(link.counts.items()):
            exchanges.add_metric([name, kind], count)
        if "p90" in link.latency_ms:
            latency.add_metric([name], link.latency_ms["p90"] / 1000)
    up = GaugeMetricFamily("fieldtill_line_up", "Whether the port or peer is there", labels=["line"])
    use = GaugeMetricFamily("fieldtill_line_use_ratio", "Share of time that a line is busy", labels=["line"])
    overruns = CounterMetricFamily("fieldtill_line_overruns", "Requests turned away, queue full", labels=["line"])
    for line in daemon.premises.carriers():
        name, stats = line.id, line.stats()
        up.add_metric([name], stats.up)
        use.add_metric([name], stats.bus_use)
        overruns.add_metric([name], stats.overruns)
    return [online, exchanges, latency, up, use, overruns]


def _till(daemon: Daemon) -> Iterable[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    age_s = (daemon.clock.mono_ms() - daemon.fed_ms) / 1000
    yield GaugeMetricFamily("fieldtill_watchdog_age_seconds", "Since all was well", value=age_s)
    yield GaugeMetricFamily("fieldtill_serving", "Whether the till is open", value=daemon.site is not None)
    if daemon.site is None:
        return
    state = daemon.site.desk.state
    yield GaugeMetricFamily("fieldtill_sessions", "Sessions that are open", value=len(state.sessions))
    if daemon.site.islands is not None:
        fillings = len(state.forecourt.fillings)
        yield GaugeMetricFamily("fieldtill_fillings", "Fillings that are open", value=fillings)
        yield _by_grade("fieldtill_day_fuel_millilitres", "Sold in this site day", state, "volume_ml")
        yield _by_grade("fieldtill_day_unattributed_millilitres", "That no sale explains", state, "unattributed_ml")
    if daemon.site.shop is not None:
        swaps, locked = len(state.shop.swaps), len([1 for word in state.shop.slots.values() if word.state == "locked"])
        yield GaugeMetricFamily("fieldtill_swaps", "Swap sessions that are open", value=swaps)
        yield GaugeMetricFamily("fieldtill_slots_locked", "Slots that wait for a person", value=locked)
    if daemon.site.ports is not None:
        ports = state.ports
        yield GaugeMetricFamily("fieldtill_ports", "Sessions that are open at ports", value=len(ports.sessions))
        yield GaugeMetricFamily("fieldtill_lockers", "Lockers that are somebody's", value=len(ports.stays))
        loose = ports.sums.unattributed
        yield GaugeMetricFamily("fieldtill_day_unattributed_settlements", "That nobody is charged for", value=loose)
    day = state.day
    yield GaugeMetricFamily("fieldtill_day_sessions", "Sessions closed in this site day", value=day.sessions)
    yield GaugeMetricFamily("fieldtill_day_energy_watthours", "Sold in this site day", value=day.energy_wh)
    yield GaugeMetricFamily("fieldtill_day_fen", "Billed in this site day", value=day.amount_fen)
    used = sum(lease.used for lease in state.leases.values() if lease.asset == CNY)
    held = sum(lease.held for lease in state.leases.values() if lease.asset == CNY)
    yield CounterMetricFamily("fieldtill_used_fen", "Captured from stored value in this epoch", value=used)
    yield CounterMetricFamily("fieldtill_overrun_fen", "Delivered beyond holds in this epoch", value=state.overrun_fen)
    yield GaugeMetricFamily("fieldtill_held_fen", "Set aside for open sessions", value=held)
    if daemon.uplink is not None:
        yield GaugeMetricFamily("fieldtill_hq_online", "Whether headquarters answers", value=daemon.uplink.online)
        backlog = daemon.uplink.status().backlog
        yield GaugeMetricFamily("fieldtill_backlog_records", "Not acknowledged by headquarters", value=backlog)


def _by_grade(name: str, about: str, state: TillState, what: Literal["volume_ml", "unattributed_ml"]) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, about, labels=["grade"])
    for grade, sums in sorted(state.forecourt.grades.items()):
        family.add_metric([grade], getattr(sums, what))
    return family


def _journal(daemon: Daemon) -> Iterable[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    journal = daemon.journal
    if journal is None:
        return
    counters = journal.counters
    yield CounterMetricFamily("fieldtill_records", "Records in the log", value=journal.size)
    yield CounterMetricFamily("fieldtill_commits", "Commits since the start", value=counters.commits)
    yield CounterMetricFamily("fieldtill_fsyncs", "Syncs of the disk since the start", value=counters.fsyncs)
    longest_s = counters.commit_us_max / 1_000_000
    yield GaugeMetricFamily("fieldtill_commit_max_seconds", "Longest commit since the start", value=longest_s)
    yield GaugeMetricFamily("fieldtill_disk_full", "Whether new sessions are refused", value=journal.full)
