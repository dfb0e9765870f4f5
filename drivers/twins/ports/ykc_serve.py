"""Who brings a simulated pile to its platform over real TCP? Keeps calling, as a pile does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from drivers.twins.ports.ykc import YkcTwin
from drivers.twins.ports.ykc_faults import PileFaultKind

TICK_S: Final = 0.02
AGAIN_S: Final = 0.1  # before it calls again
CHUNK: Final = 4096


class YkcCaller:
    """One pile on the network. Its world's time is the loop's, `speed` times as fast, from 0 on."""

    def __init__(
        self,
        twin: YkcTwin,
        host: str,
        port: int,
        *,
        speed: int = 1,
        tls: ssl.SSLContext | None = None,
        tls_name: str | None = None,
        local: str | None = None,
    ) -> None:
        """local: the address that it calls from."""
        self.twin = twin
        self.host, self.port = host, port
        self.calls = 0
        self.linked = asyncio.Event()  # set while a connection stands
        self.may_call = asyncio.Event()  # cleared: its network is gone
        self.may_call.set()
        self._speed = speed
        self._tls, self._tls_name = tls, tls_name if tls else None
        self._local = None if local is None else (local, 0)
        self._began = asyncio.get_running_loop().time()
        self._left_open: list[asyncio.StreamWriter] = []

    @property
    def now_ms(self) -> int:
        """The world's."""
        return int((asyncio.get_running_loop().time() - self._began) * 1000 * self._speed)

    def cut(self) -> None:
        """Its network goes, until `may_call` is set again. What runs, runs on."""
        self.may_call.clear()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                if self.may_call.is_set() and self.twin.off_until_ms is None:
                    try:
                        await self._call()
                    except OSError:  # refused, or broken: it calls again
                        pass
                    self.linked.clear()
                    self.twin.disconnected()
                self.twin.advance(self.now_ms)
                await asyncio.sleep(AGAIN_S)
        finally:
            for writer in self._left_open:
                writer.transport.abort()

    async def _call(self) -> None:
        self.calls += 1
        reader, writer = await self._open()
        try:
            if self.twin.faults.take(PileFaultKind.STILL_OPEN):
                await self._say(writer, self.twin.connected(self.now_ms))
                self._left_open.append(writer)
                await asyncio.sleep(AGAIN_S)
                reader, writer = await self._open()
            await self._say(writer, self.twin.connected(self.now_ms))
            self.linked.set()
            await self._converse(reader, writer)
        finally:
            writer.transport.abort()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            self.host, self.port, ssl=self._tls, server_hostname=self._tls_name, local_addr=self._local
        )

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.may_call.is_set():
            try:
                async with asyncio.timeout(TICK_S):
                    data = await reader.read(CHUNK)
                if not data:
                    return
                said = self.twin.receive(data, self.now_ms)
            except TimeoutError:
                said = []
            await self._say(writer, [*said, *self.twin.advance(self.now_ms)])
            if self.twin.drops or self.twin.welcome is False:
                return

    async def _say(self, writer: asyncio.StreamWriter, said: list[bytes]) -> None:
        for data in said:
            slow = self.twin.faults.take(PileFaultKind.DRIBBLE)
            for chunk in [data] if slow is None else [bytes([byte]) for byte in data]:
                writer.write(chunk)
                if slow is not None:
                    await writer.drain()
                    await asyncio.sleep(slow.size / 1000)
        await writer.drain()


@asynccontextmanager
async def calling(caller: YkcCaller) -> AsyncIterator[YkcCaller]:
    """The pile calls while the block runs."""
    task = asyncio.create_task(caller.run())
    try:
        yield caller
    finally:
        task.cancel()
        await asyncio.wait([task])
