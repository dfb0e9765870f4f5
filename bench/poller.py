"""The peer: pymodbus's own client reading the same registers, `python -m bench.poller PORT UNITS COUNT PERIOD_S EACH`.

It does nothing but read: COUNT registers of UNITS devices every PERIOD_S seconds, EACH registers at a time. It says
one line when the first round is done, and goes on until its input ends.
"""

from __future__ import annotations

import asyncio
import sys

from pymodbus.client import AsyncModbusTcpClient


async def poll(port: int, units: int, count: int, period_s: float, each: int) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    loop = asyncio.get_running_loop()
    due_s, said = loop.time(), False
    while True:
        for unit in range(1, units + 1):
            for address in range(0, count, each):
                answer = await client.read_holding_registers(address, count=each, device_id=unit)
                assert len(answer.registers) == each
        if not said:
            print("polling", flush=True)
            said = True
        due_s += period_s
        await asyncio.sleep(max(0.0, due_s - loop.time()))


async def _until_input_ends(work: asyncio.Task[None]) -> None:
    await asyncio.to_thread(sys.stdin.read)
    work.cancel()


async def main(port: int, units: int, count: int, period_s: float, each: int) -> None:
    work = asyncio.create_task(poll(port, units, count, period_s, each))
    ending = asyncio.create_task(_until_input_ends(work))
    await asyncio.wait([work, ending], return_when=asyncio.FIRST_COMPLETED)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])))
