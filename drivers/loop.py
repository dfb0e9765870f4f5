"""How is time kept well enough for a serial line?

EpollSelector rounds every timeout up to a whole millisecond. The silence between two frames is 2.0 ms at 19,200 baud,
so that rounding alone costs 5 to 10 % of the bus. SelectSelector passes the timeout on as it is. It is limited to
descriptors below 1024, far above what one site has open.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Final

LATE_MAX_S: Final = 0.0005  # the most that is ever made up for, and so the most that is ever spun away


def new_event_loop() -> asyncio.SelectorEventLoop:
    """A loop for the daemon: `asyncio.Runner(loop_factory=new_event_loop)`."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


class Alarm:
    """Wakes its owner on time. Timers fire 0.1 to 0.3 ms late on small machines; it learns by how much, and aims early.

    What remains to the instant is passed by going round the loop, so that others get their turn meanwhile.
    """

    def __init__(self) -> None:
        self._late_s = 0.0

    async def at(self, when: float) -> None:
        """Return at `when`, loop time."""
        loop = asyncio.get_running_loop()
        aim = when - self._late_s
        wait_s = aim - loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
            late_s = loop.time() - aim
            self._late_s += (min(late_s, LATE_MAX_S) - self._late_s) / 8
        while loop.time() < when:  # noqa: ASYNC110  # nothing sets an event at a given microsecond
            await asyncio.sleep(0)
