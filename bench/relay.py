"""A TCP relay that counts, in a process of its own: `python -m bench.relay PORT`. The bytes on the wire, TLS and all.

The first line says its own port; each line on stdin is answered with the bytes carried so far, both ways together.
"""

from __future__ import annotations

import asyncio
import sys


class Relay:
    """Carries connections to a port of this machine."""

    def __init__(self, target: int) -> None:
        self.carried_bytes = 0
        self._target = target

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        async with server:
            while await asyncio.to_thread(sys.stdin.readline):
                print(self.carried_bytes, flush=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                self.carried_bytes += len(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # the other side hung up
        finally:
            writer.close()


if __name__ == "__main__":
    asyncio.run(Relay(int(sys.argv[1])).serve())
