"""Which lock boards answer on a line? By reading their states, which moves nothing.

Asked only where they are meant: on a line that has such boards by its config, or where a person names the protocol. A
byte of these frames may be an order in another protocol. Modbus boards are found by the scan for Modbus units.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final, Literal

from drivers.boards.board import Board
from drivers.boards.config import WIRES
from drivers.errors import Garbled, Silent
from drivers.line import DevicePolicy, Line, LineDevice
from drivers.line_tools import Found
from protocols.fieldbus import lock_kerong, lock_xor

LockProtocol = Literal["xor", "kerong"]
ANSWER_S: Final = 0.1


async def scan_boards(
    line: Line,
    protocol: LockProtocol,
    addresses: Iterable[int],
    known: Mapping[int, Board],
    *,
    timeout_s: float = ANSWER_S,
) -> AsyncIterator[Found]:
    """Ask each address once. known: the boards that the daemon has on the line; they are not asked but told of.

    Runs beside polls. Raises LineDown when the line is not there.
    """
    for address in addresses:
        board = known.get(address)
        if board is not None:
            if not board.silent:
                yield Found(address, board.id, True, board.link().latency_ms.get("p50"), protocol)
            continue
        if address not in WIRES[protocol].addresses:
            continue
        policy = DevicePolicy(timeout_s=timeout_s, retries=0, late_s=0.0, back_off=False)
        device = line.attach(f"scan {protocol} {address}", policy)
        try:
            said = await (_xor if protocol == "xor" else _kerong)(device, address)
        except Silent:
            continue
        except Garbled as error:
            yield Found(address, error.what, False, None, protocol)
        else:
            yield Found(address, said, True, device.last_took_ms, protocol)
        finally:
            device.detach()


async def _xor(device: LineDevice, address: int) -> str:
    """How many locks it has shows in the length of its answer alone."""
    question = lock_xor.ReadAll(address)
    for locks in (24, 32):
        expect = lock_xor.LockExpect(question, channels=locks)
        try:
            contacts = await device.exchange(lock_xor.request_frame(question), expect)
        except Garbled:
            if locks == 32:
                raise
        else:
            return f"{locks} locks, contacts set: {_numbers([one.lock for one in contacts if one.closed])}"
    raise AssertionError("the last one has returned or raised")


async def _kerong(device: LineDevice, address: int) -> str:
    question = lock_kerong.AskStates(address)
    states = await device.exchange(lock_kerong.request_frame(question), lock_kerong.expect_states(address))
    return f"{lock_kerong.LOCKS} locks, unlocked: {_numbers([n + 1 for n, one in enumerate(states.unlocked) if one])}"


def _numbers(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers) or "none"
