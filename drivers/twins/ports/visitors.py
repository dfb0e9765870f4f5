"""Who plugs in at a simulated board, and when do they fetch their bikes? Pure: the world's time, and a seed."""

from __future__ import annotations

from random import Random

from drivers.twins.ports.battery import Battery
from drivers.twins.ports.board import PortWorld

COMES_MS = (120_000, 1_800_000)  # between two visitors, at least and at most
STAYS_MS = (1_200_000, 30_000_000)


class Visitors:
    """Bikes that come to free outlets and are fetched after a while, charged or not. Call `step` as time passes."""

    def __init__(self, world: PortWorld, seed: int = 0) -> None:
        self.world = world
        self.came = 0
        self._random = Random(seed)  # noqa: S311  (replayable on purpose)
        self._next_ms = world.now_ms
        self._leaves_ms: dict[int, int] = {}

    def step(self) -> None:
        """Let come and go who is due by now."""
        world, random = self.world, self._random
        for port in [port for port, at_ms in self._leaves_ms.items() if at_ms <= world.now_ms]:
            del self._leaves_ms[port]
            world.unplug(port)
        if world.now_ms < self._next_ms:
            return
        self._next_ms = world.now_ms + random.randrange(*COMES_MS)
        free = [port for port, outlet in world.outlets.items() if outlet.battery is None]
        if free:
            port = random.choice(free)
            world.plug(port, Battery.some(random))
            self._leaves_ms[port] = world.now_ms + random.randrange(*STAYS_MS)
            self.came += 1
