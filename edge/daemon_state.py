"""What is running in the daemon, for whoever looks at it: panel, metrics, watchdog."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.readers.reader import CardReader
from edge.carried import Codes
from edge.clock import Clock
from edge.config import Config
from edge.journal.journal import Journal
from edge.premises import Premises
from edge.site import Site
from edge.sync.quick import Quick
from edge.sync.uplink import Uplink


@dataclass(slots=True)
class Daemon:
    """What is running. `journal`, `site` and what follows are None until the box has an epoch; `receipt_url`, of a
    session by its seq, while no page is served; `readers` are opened once there is a site.

    started_ms, fed_ms: on the box's monotonic clock; the latter of the last time that all was well.
    """

    config: Config
    premises: Premises
    clock: Clock
    started_ms: int
    journal: Journal | None = None
    site: Site | None = None
    codes: Codes | None = None
    receipt_url: Callable[[int], str] | None = None
    uplink: Uplink | None = None
    quick: Quick | None = None
    readers: list[CardReader] = field(default_factory=list)
    waiting_for: str = "the log to be opened"
    fed_ms: int = 0
    epoch_over: bool = False
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
