"""How long does the server wait for a request, and how much of one does it hear, before it knows who asks?

uvicorn has no limit for either: a client that says a header every minute keeps its socket for ever, and one that never
ends its headers fills the memory. Nobody is authenticated by then. What a body may hold is cloud.asgi's question.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CONNECTIONS_MAX = 10_000
"""At once; more are answered 503. A fleet's sites keep one each, and a second for grants."""


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's own, with an end to its patience."""

    HEAD_BYTES_MAX = 16 * 1024
    """Request line and headers; a site's are some 400."""
    SILENT_S = 30.0
    """Without a byte, while a request is not whole: a modem's worst pause."""
    REQUEST_S = 600.0
    """For all of a request: 4 MiB at the 8 kB/s of the slowest link that works at all."""

    _asking = True
    _in_head = True
    _head_bytes = 0
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._began_s = self._heard_s = self.loop.time()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard_s = self.loop.time()
        if not self._asking:
            self._asking, self._began_s = True, self._heard_s
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self.HEAD_BYTES_MAX:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._asking, self._in_head = False, True
        super().on_message_complete()

    def _look(self) -> None:
        now_s = self.loop.time()
        late = now_s - self._heard_s >= self.SILENT_S or now_s - self._began_s >= self.REQUEST_S
        if self._asking and late:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(self.SILENT_S / 2, self._look)
