"""Which event loop keeps time well enough for a serial line?

EpollSelector rounds every timeout up to a whole millisecond. The silence between two frames is 2.0 ms at 19,200 baud,
so that rounding alone costs 5 to 10 % of the bus. SelectSelector passes the timeout on as it is. It is limited to
descriptors below 1024, far above what one site has open.
"""

from __future__ import annotations

import asyncio
import selectors


def new_event_loop() -> asyncio.SelectorEventLoop:
    """A loop for the daemon: `asyncio.Runner(loop_factory=new_event_loop)`."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
