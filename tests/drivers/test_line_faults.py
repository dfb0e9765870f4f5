"""A seeded run of faults on a real pty, with an auditor who knows what every register holds."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

from line_rig import Play, PtyBus, ask, honest, read

from drivers.errors import Transient
from drivers.line import DevicePolicy, Line, LineConfig
from protocols.fieldbus.modbus import Answer, Framing, Request, answer_frame

TIMEOUT_S = 0.02
POLICY = DevicePolicy(timeout_s=TIMEOUT_S, retries=0, late_s=0.06, back_off=False)
EXCHANGES = int(os.environ.get("FIELDTILL_FAULTS", "150"))  # `FIELDTILL_FAULTS=100000` for a long run


class Saboteur:
    """A slave that answers honestly or does one of the known bad things; a register's value is its address."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.done: Counter[str] = Counter()

    def __call__(self, request: Request) -> Play:
        [(_, frame)] = honest(request)
        chance = self.chance
        noise = chance.randbytes(chance.randint(1, 12))
        at = chance.randrange(len(frame))
        other = Request(request.unit % 3 + 1, read(chance.randrange(60000)))
        plays: dict[str, Play] = {
            "honest": [(0, frame)],
            "late": [(TIMEOUT_S + chance.uniform(0.005, 0.03), frame)],
            "dead": [],
            "noise before": [(0, noise), (0.002, frame)],
            "noise behind": [(0, frame + noise)],
            "noise only": [(0, noise)],
            "echo": [(0, bytes((request.unit, request.function)) + b"\0\0"), (0.001, frame)],
            "byte flipped": [(0, frame[:at] + bytes((frame[at] ^ chance.randint(1, 255),)) + frame[at + 1 :])],
            "byte lost": [(0, frame[:at] + frame[at + 1 :])],
            "cut": [(0, frame[:at])],
            "foreign first": [(0, honest(other)[0][1]), (0.002, frame)],
            "foreign only": [(0, honest(other)[0][1])],
            "other count": [(0, answer_frame(Framing.RTU, Request(request.unit, read(7, 2)), Answer((7, 8))))],
            "twice": [(0, frame + frame)],
            "in pieces": [(0, frame[:at]), (0.004, frame[at:])],
        }
        what = chance.choices(list(plays), weights=[30] + [1] * (len(plays) - 1))[0] if chance.random() < 0.6 else ""
        what = what or chance.choice(list(plays))
        self.done[what] += 1
        return plays[what]


async def test_no_fault_gives_a_wrong_value(tmp_path: Path) -> None:
    """Whatever the line does to an answer, a request gets its own value or an error."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    saboteur = Saboteur(seed)
    outcomes: Counter[str] = Counter()
    async with (
        PtyBus(tmp_path / "by-id", dict.fromkeys((1, 2, 3), saboteur)) as bus,
        Line(LineConfig(id="yard", path=str(bus.link), baud=115200, drain_ms=5.0, reopen_after_s=None)) as line,
    ):

        async def poll(unit: int, count: int) -> None:
            device = line.attach(f"meter {unit}", POLICY)
            for _ in range(count):
                address = chance.randrange(60000)
                try:
                    answer = await ask(device, unit, read(address))
                except Transient as error:
                    outcomes[type(error).__name__] += 1
                else:
                    assert answer == Answer(registers=(address,)), f"seed {seed}: wrong value"
                    outcomes["right"] += 1

        await asyncio.gather(*(poll(unit, EXCHANGES // 3) for unit in (1, 2, 3)))
    print(dict(outcomes), dict(saboteur.done))
    assert outcomes["right"] > EXCHANGES // 4
