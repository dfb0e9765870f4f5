"""What does every answer over HTTP need? A body of a bounded length, and a thread for the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def body_of(http: Request, bytes_max: int) -> bytes | None:
    """The body as sent; None as soon as it is longer than `bytes_max`."""
    chunks: list[bytes] = []
    length = 0
    try:
        async for chunk in http.stream():
            length += len(chunk)
            if length > bytes_max:
                return None
            chunks.append(chunk)
    except ClientDisconnect:  # a link that fails is no error here; half a body proves and signs nothing
        return b""
    return b"".join(chunks)


async def in_thread(http: Request, work: Callable[[], T]) -> T:
    """In one of the application's few threads for the database."""
    return await anyio.to_thread.run_sync(work, limiter=http.app.state.limiter)
