"""What systemd is told: that the daemon serves, how it does, that it ends, and that it is alive.

The watchdog is fed by real progress. A daemon that turns in circles is not fed, and systemd starts it again.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping

import structlog

from drivers.api import LinkState
from edge.daemon_state import Daemon

EVERY_S = 5.0
"""How often health is judged where systemd does not ask for more."""
LOOK_MAX_MS = 20_000
"""Sessions are looked at 4 times a second; reading all meters at a change of price may take some seconds."""
PUMP_MAX_MS = 180_000
"""A pump is not looked at while it is told something: several requests, each with its retries, on a line that others
use too."""
LINE_MAX_S = 90.0
"""A line is busy with one request for at most a device's timeout (60 s) and the silence after it."""
DISK_MAX_S = 20.0
"""A worn-out card takes seconds for an fsync, and comes back; one that takes this long does not."""

log = structlog.get_logger()


def ready(status: str = "") -> None:
    """Start-up is over."""
    notify(f"READY=1\nSTATUS={status}")


def stopping() -> None:
    """The daemon ends in order, and needs a moment for it."""
    notify("STOPPING=1\nSTATUS=saving running sessions")


def notify(state: str, environment: Mapping[str, str] = os.environ) -> None:
    """Send `state` to systemd as sd_notify(3) does. Without systemd nothing happens."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # the abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as out:
        try:
            out.sendto(state.encode(), address)
        except OSError as error:  # a supervisor that does not listen is no reason to stop selling
            log.debug("systemd does not listen", error=str(error))


class Watchdog:
    """Judges the daemon and feeds systemd's watchdog while it is well."""

    def __init__(self, daemon: Daemon, environment: Mapping[str, str] = os.environ) -> None:
        self._daemon = daemon
        self._environment = environment
        self._every_s = _period_s(environment)
        self._ill: str | None = None
        self._status = ""

    async def run(self) -> None:
        """For ever; coming round at all shows that the loop turns. Raises JournalFailed: then nothing can be sold."""
        while True:
            if self._daemon.journal is not None and self._daemon.journal.failed is not None:
                raise self._daemon.journal.failed
            self.judge()
            await asyncio.sleep(self._every_s)

    def judge(self) -> str | None:
        """Feed, or say why not; a reason is logged once, not at every look. None: all is well."""
        why = ill(self._daemon)
        if why is None:
            self._daemon.fed_ms = self._daemon.clock.mono_ms()
            notify("WATCHDOG=1", self._environment)
        elif why != self._ill:
            log.error("the watchdog is not fed", why=why)
        self._ill = why
        status = why or in_words(self._daemon)
        if status != self._status:
            notify(f"STATUS={status}", self._environment)
            self._status = status
        return why


def ill(daemon: Daemon) -> str | None:
    """Why the daemon should be started again, if it should."""
    for line in daemon.premises.carriers():
        if line.stalled_s > LINE_MAX_S:
            return f"line {line.id} has been at one thing for {line.stalled_s:.0f} s"
    if daemon.journal is not None and daemon.journal.waiting_s() > DISK_MAX_S:
        return f"the disk has not taken a commit for {daemon.journal.waiting_s():.0f} s"
    if daemon.site is not None:
        unseen_ms = daemon.clock.mono_ms() - daemon.site.looked_ms
        if unseen_ms > LOOK_MAX_MS:
            return f"no session has been looked at for {unseen_ms // 1000} s"
        for name, loop in daemon.site.islands.loops.items() if daemon.site.islands is not None else ():
            unseen_ms = daemon.clock.mono_ms() - loop.looked_ms
            if unseen_ms > PUMP_MAX_MS:
                return f"pump {name} has not been looked at for {unseen_ms // 1000} s"
        for name, cabinet in daemon.site.shop.loops.items() if daemon.site.shop is not None else ():
            unseen_ms = daemon.clock.mono_ms() - cabinet.looked_ms
            if unseen_ms > PUMP_MAX_MS:
                return f"cabinet {name} has not been looked at for {unseen_ms // 1000} s"
        for name, board in daemon.site.ports.loops.items() if daemon.site.ports is not None else ():
            unseen_ms = daemon.clock.mono_ms() - board.looked_ms
            if unseen_ms > PUMP_MAX_MS:
                return f"board {name} has not been looked at for {unseen_ms // 1000} s"
    return None


def in_words(daemon: Daemon) -> str:
    """The daemon in one line, for `systemctl status`."""
    devices = [device.link().state for device in daemon.premises.everything()]
    online = f"{sum(state is LinkState.ONLINE for state in devices)} of {len(devices)} devices online"
    if daemon.site is None:
        return f"waiting for {daemon.waiting_for}; {online}"
    sessions = len(daemon.site.desk.sessions())
    parts = [f"{sessions} session{'s' * (sessions != 1)}"]
    if daemon.site.islands is not None:
        fillings = len(daemon.site.islands.fills.fillings())
        parts.append(f"{fillings} filling{'s' * (fillings != 1)}")
    if daemon.site.shop is not None:
        swaps = len(daemon.site.shop.swaps.swaps())
        parts.append(f"{swaps} swap{'s' * (swaps != 1)}")
    if daemon.site.ports is not None:
        parts.append(f"{len(daemon.site.ports.ports.sessions())} at ports")
    parts.append(online)
    if daemon.uplink is not None:
        parts.append("headquarters reached" if daemon.uplink.online else "headquarters not reached")
    return ", ".join(parts)


def _period_s(environment: Mapping[str, str]) -> float:
    """A third of what systemd allows, so that one late turn does no harm."""
    allowed_us = environment.get("WATCHDOG_USEC", "")
    mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return min(EVERY_S, int(allowed_us) / 3_000_000) if allowed_us.isdigit() and mine else EVERY_S
