"""One simulated YKC pile for a person at a terminal: `fieldtill twin ykc`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from drivers.twins.car import Car
from drivers.twins.ports.serve import follow
from drivers.twins.ports.ykc import YkcTwin
from drivers.twins.ports.ykc_faults import parse_pile_faults
from drivers.twins.ports.ykc_serve import YkcCaller, calling

PILE: Final = "ykc"
CODE: Final = "32010200000001"
GUNS: Final = 2
COMES_MS: Final = (60_000, 600_000)  # to a free gun, at least and at most
STAYS_MS: Final = (1_200_000, 10_800_000)
ROOM_WH: Final = (2_000, 30_000)


class Drivers:
    """Cars that come to free guns and leave after a while, charged or not. Call `step` as time passes."""

    def __init__(self, twin: YkcTwin, seed: int = 0) -> None:
        self._twin = twin
        self._random = Random(seed)  # noqa: S311  (replayable on purpose)
        self._next_ms = {gun: 0 if gun == 1 else self._random.randrange(*COMES_MS) for gun in twin.guns}

    def step(self, now_ms: int) -> None:
        """Let come and go who is due by now."""
        for gun, at_ms in self._next_ms.items():
            if at_ms > now_ms:
                continue
            if self._twin.guns[gun].plugged:
                self._twin.unplug(gun, now_ms)
                self._next_ms[gun] = now_ms + self._random.randrange(*COMES_MS)
            else:
                car = Car(energy_wh=60_000 - self._random.randrange(*ROOM_WH), power_w_max=7_000, phases=1)
                self._twin.plug(gun, car, now_ms)
                self._next_ms[gun] = now_ms + self._random.randrange(*STAYS_MS)


async def serve_pile(
    *,
    tcp_port: int | None = None,
    faults: Sequence[str] = (),
    speed: int = 1,
    seed: int = 0,
    say: Callable[[str], None] = print,
    live: bool = True,
    stop: asyncio.Event | None = None,
) -> None:
    """Call the platform at `tcp_port` of this machine until cancelled or `stop` is set; as `serve_port_board`.

    Cars come and go by `seed`; they charge when they are sold to. faults: as `parse_pile_faults`. Raises ValueError.
    """
    if not tcp_port:
        raise ValueError("a pile calls its platform: say the port of its [[ykc]]")
    twin = YkcTwin(CODE, guns=GUNS, faults=parse_pile_faults(faults), seed=seed)
    caller = YkcCaller(twin, "127.0.0.1", tcp_port, speed=speed)
    drivers = Drivers(twin, seed)
    async with calling(caller):
        say(f"ykc pile {CODE} with {GUNS} guns, calls 127.0.0.1:{tcp_port}")
        await follow(lambda: drivers.step(caller.now_ms), lambda: pile_line(twin), say if live else None, stop)


def pile_line(twin: YkcTwin) -> str:
    """One line of a pile's state: `welcome; 1 charging 6992 W, 2 plugged; 4 charges ended, 1 bill waits`."""
    greeting = {None: "not called yet", True: "welcome", False: "turned away"}[twin.welcome]
    parts = []
    for number, gun in twin.guns.items():
        if gun.running is not None:
            parts.append(f"{number} charging {gun.power_w} W")
        elif gun.plugged:
            parts.append(f"{number} plugged")
    wait = len(twin.bills)
    bills = f"{wait} bill{'' if wait == 1 else 's'} wait{'s' if wait == 1 else ''} for an answer"
    return f"{greeting}; {', '.join(parts) or 'nothing plugged in'}; {len(twin.charges)} charges ended, {bills}"
