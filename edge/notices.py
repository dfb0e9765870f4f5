"""What is wrong at a pump or a cabinet, told once for as long as it lasts: in the site's log and in the daemon's."""

from __future__ import annotations

from contextlib import suppress

import structlog

from edge.desk import Desk
from edge.journal.errors import JournalFull
from protocols.trade.records import Draft, Notice

log = structlog.get_logger()


class Notices:
    """Of one device. lasting: what has been told and is not over, by its word."""

    def __init__(self, desk: Desk, device_id: str) -> None:
        self._desk = desk
        self._device_id = device_id
        self.lasting: dict[str, object] = {}

    async def tell(self, what: str, detail: str, about: object) -> None:
        """Once for as long as it is about the same; a disk without room is told of elsewhere."""
        if self.lasting.get(what) == about or self._desk.state.closed:
            return
        self.lasting[what] = about
        log.warning(what, device=self._device_id, detail=detail)
        with suppress(JournalFull):
            await self._desk.record([Draft(Notice(what, self._device_id, detail))])

    def over(self, what: str) -> None:
        """From now on it is news again."""
        self.lasting.pop(what, None)
