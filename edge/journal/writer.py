"""Group commit: one thread owns the connection; what waits when it is free shares one transaction and one fsync."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.journal.errors import JournalError, JournalFailed, JournalFull, JournalOverrun
from edge.journal.files import Ballast
from edge.journal.second_copy import SecondCopy
from edge.journal.step import Head, Step
from edge.journal.store import Store

WAITING_MAX = 10_000
"""Steps that may wait. A site makes a few a second; this many means a disk that no longer keeps up."""

GROUP_MAX = 1_000
"""Steps in one transaction, so that the first of many waits no longer than the disk needs for that."""

IDLE_S = 30.0
"""How often an idle writer looks after the files."""


class Committer:
    """Commits groups one after the other, on whichever thread calls."""

    def __init__(self, store: Store, ballast: Ballast, second_copy: SecondCopy | None) -> None:
        """second_copy: caught up with the store; it is synced after each commit, before anyone is told."""
        self._store = store
        self._ballast = ballast
        self._second_copy = second_copy

    def commit(self, group: Sequence[Step]) -> Head:
        """All of the group, on the space of the ballast if need be. Raises JournalFull or JournalFailed."""
        try:
            head = self._store.commit(group)
        except JournalFull:
            if not self._ballast.release():
                raise
            head = self._store.commit(group)
        if self._second_copy is not None:
            self._second_copy.append([sealed.data for step in group for sealed in step.sealed], head.note)
        return head

    def tend(self, *, idle: bool) -> None:
        """What can wait until nothing else does. `idle`: nothing has waited for a while. Raises JournalFailed."""
        try:
            self._store.tend()
        except JournalFull:
            return  # all of it stays in the write-ahead log; the next commit that finds no room takes the ballast
        if idle:
            self._ballast.restore()

    def close(self) -> None:
        self._store.close()
        if self._second_copy is not None:
            self._second_copy.close()


@dataclass(slots=True)
class _Job:
    step: Step
    future: asyncio.Future[None]
    since_s: float


class Writer:
    """The thread and its queue. Its methods are for the event loop."""

    def __init__(
        self, committer: Committer, on_head: Callable[[Head], None], on_failure: Callable[[JournalError], None]
    ) -> None:
        """on_head, on_failure: called on the event loop, before those who wait are told."""
        self._committer = committer
        self._on_head = on_head
        self._on_failure = on_failure
        self._changed = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[_Job] = []
        self._running: list[_Job] = []
        self._stopped: JournalError | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def submit(self, step: Step) -> asyncio.Future[None]:
        """Queue the step at once, in the order of calls. Raises what has stopped the writer, or JournalOverrun."""
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = self._loop.create_future()
        with self._changed:
            if self._stopped is not None:
                raise self._stopped
            if len(self._waiting) >= WAITING_MAX:
                raise JournalOverrun(f"{WAITING_MAX} steps wait to be written")
            self._waiting.append(_Job(step, future, time.monotonic()))
            self._changed.notify()
        return future

    def waiting_s(self) -> float:
        """How long the oldest step has waited; 0.0 when none does. The watchdog is fed while this stays small."""
        with self._changed:
            oldest = (self._running or self._waiting)[:1]
        return time.monotonic() - oldest[0].since_s if oldest else 0.0

    def close(self) -> None:
        """Write what waits, then end the thread and close the connection. Blocks for that long."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            if not group:
                self._tend(idle=True)
                continue
            try:
                head = self._committer.commit([job.step for job in group])
            except JournalError as error:
                self._stop(group, error)
            except Exception as error:  # nothing known raises here; whatever does leaves an unknown state on disk
                self._stop(group, JournalFailed(f"{type(error).__name__}: {error}"))
            else:
                self._tell(self._succeed, group, head)
            with self._changed:
                self._running = []
                idle = not self._waiting and self._stopped is None
            if idle:
                self._tend(idle=False)
        self._committer.close()

    def _next_group(self) -> list[_Job] | None:
        """The steps to write now; none when it is time to look after the files; None to end."""
        with self._changed:
            if not self._waiting and not self._closing:
                self._changed.wait(IDLE_S)
            if self._stopped is not None or not self._waiting:
                return None if self._closing else []
            self._running, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
            return self._running

    def _tend(self, *, idle: bool) -> None:
        if self._stopped is not None:
            return
        try:
            self._committer.tend(idle=idle)
        except JournalError as error:
            self._stop([], error)

    def _stop(self, group: list[_Job], error: JournalError) -> None:
        """Nothing is written from here on, until the loop has heard of it (and never again unless it is for space)."""
        with self._changed:
            self._stopped = error
            group = group + self._waiting
            self._waiting = []
        self._tell(self._fail, group, error)

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None, "nothing has been written that was not submitted"
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            return  # the loop has been closed: nobody is left to be told

    def _succeed(self, group: list[_Job], head: Head) -> None:
        self._on_head(head)
        for job in group:
            if not job.future.done():  # done: whoever waited was cancelled; the step is durable all the same
                job.future.set_result(None)

    def _fail(self, group: list[_Job], error: JournalError) -> None:
        self._on_failure(error)
        for job in group:
            if not job.future.done():
                job.future.set_exception(error)
        if isinstance(error, JournalFull):
            with self._changed:
                self._stopped = None
