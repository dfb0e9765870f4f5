"""How is one connection with a pile written to, and an answer waited for?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from drivers.errors import DeviceError, LineDown, Misconfigured, Silent
from drivers.ports.listener import Caller
from protocols.fieldbus.ykc import Connection, Heard

T = TypeVar("T")


class Talk:
    """One connection, from its first byte to its last."""

    def __init__(self, caller: Caller, connection: Connection, where: str) -> None:
        """where: for errors; the switchboard's words until the pile has said who it is."""
        self.caller = caller
        self.connection = connection
        self.heard_at = time.monotonic()  # the last sound frame
        self.where = where
        self._waiting: list[tuple[Callable[[Any], Any], asyncio.Future[Any]]] = []
        self._closed = False

    @property
    def host(self) -> str:
        """The address at the other end, without its port."""
        return self.caller.peer.rpartition(":")[0]

    @property
    def closed(self) -> bool:
        return self._closed

    def heard_now(self) -> None:
        """A sound frame came."""
        self.heard_at = time.monotonic()

    def tell(self, message: Any) -> None:
        """Say something new. Raises LineDown, and Misconfigured for what has no place in the protocol."""
        try:
            data = self.connection.send(message)
        except ValueError as error:
            raise Misconfigured(f"{type(message).__name__}: {error}", where=self.where) from None
        if self._closed:
            raise LineDown("the pile's connection has ended", where=self.where)
        self.caller.send(data)

    def answer(self, heard: Heard, message: Any) -> None:
        """Answer what the pile asked; on a connection that has ended, nobody."""
        try:
            self.caller.send(self.connection.answer(heard, message))
        except DeviceError:
            self.close()

    async def ask(self, message: Any, read: Callable[[Any], T | None], timeout_s: float) -> T:
        """What `read` first makes of a message that comes from now on. Raises Silent, LineDown and Misconfigured."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        waiting = (read, answer)
        self._waiting.append(waiting)
        try:
            self.tell(message)
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            what = f"no answer to {type(message).__name__} within {timeout_s:g} s"
            raise Silent(what, where=self.where) from None
        finally:
            self._waiting.remove(waiting)

    def heard(self, message: Any) -> bool:
        """A message came. Whether somebody waits for it."""
        awaited = False
        for read, answer in self._waiting:
            if not answer.done() and (found := read(message)) is not None:
                answer.set_result(found)
                awaited = True
        return awaited

    def close(self, why: str = "the pile's connection has ended") -> None:
        """Hang up; whoever waits gets LineDown."""
        if self._closed:
            return
        self._closed = True
        self.caller.hang_up()
        for _, answer in self._waiting:
            if not answer.done():
                answer.set_exception(LineDown(why, where=self.where))


def answer_of(kind: type[T], gun: int | None = None) -> Callable[[Any], T | None]:
    """Picks a message of this kind, of that gun where it names one."""
    return lambda said: said if isinstance(said, kind) and (gun is None or getattr(said, "gun", gun) == gun) else None
