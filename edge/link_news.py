"""Says in the log when a device or a line is lost and when it is back: once for each change, however long it lasts."""

from __future__ import annotations

import asyncio

import structlog

from drivers.api import LinkState
from edge.premises import Premises

LOOK_S = 0.5

log = structlog.get_logger()


class LinkNews:
    """What was told last of each line and device."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._lines_up: dict[str, bool] = {}
        self._devices: dict[str, LinkState] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Tell what has changed since the last look. A device on a line that is down is not told of besides."""
        for line in self._premises.carriers():
            stats = line.stats()
            if not stats.up and stats.error is None:
                continue  # not tried yet
            if self._lines_up.get(line.id) != stats.up:
                self._lines_up[line.id] = stats.up
                if stats.up:
                    log.info("line open", line=line.id, where=line.config.where)
                else:
                    log.warning("line down", line=line.id, error=stats.error)
        for device in self._premises.everything():
            link = device.link()
            if link.state is LinkState.NEW or self._devices.get(device.id) is link.state:
                continue
            self._devices[device.id] = link.state
            if link.state is LinkState.ONLINE:
                log.info("device online", device=device.id)
            else:
                log.warning("device offline", device=device.id, error=link.error)
