"""What does a benchmark get, and what does it give? A `Run` in, figures out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.figure import Figure
from drivers.loop import new_event_loop

if TYPE_CHECKING:
    from bench.box import Box
    from bench.headquarters import Headquarters

T = TypeVar("T")

CUSTOMERS = 200
"""Of a box, each with a card and a grant."""


@dataclass(slots=True)
class Run:
    """One run. work: an empty folder on the disk to be measured. What is costly to make is made once, when asked for.

    scale: 1 for the real sizes; less for `--quick` and for tests, whose numbers say little.
    """

    work: Path
    scale: float = 1.0
    end: ExitStack = field(default_factory=ExitStack)
    _hq: Headquarters | None = None
    _boxes: dict[str, Box] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Real sizes: goals hold."""
        return self.scale == 1.0

    def sized(self, full: int, least: int = 1) -> int:
        """So many of something: `full` in a real run."""
        return max(least, round(full * self.scale))

    def seconds(self, full: float, least: float = 0.2) -> float:
        return max(least, full * self.scale)

    def folder(self, name: str) -> Path:
        """A new folder of that name."""
        path = self.work / name
        path.mkdir(parents=True)
        return path

    def headquarters(self) -> Headquarters:
        """The real one, serving HTTPS, until the run ends."""
        from bench.headquarters import Headquarters

        if self._hq is None:
            self._hq = self.end.enter_context(Headquarters(self.folder("hq")))
        return self._hq

    def box(self, name: str, records: int) -> Box:
        """A box enrolled there, with so many records of sold sessions in its journal and none of them sent."""
        from bench.box import build

        if name not in self._boxes:
            self._boxes[name] = wait(
                build(self.headquarters(), self.folder(name), name, records, self.sized(CUSTOMERS, least=8))
            )
        return self._boxes[name]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """means: what the numbers are, in two lines of the docs."""

    name: str
    means: str
    figures: Callable[[Run], list[Figure]]


def wait(work: Coroutine[object, object, T]) -> T:
    """Run it on a loop like the daemon's."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)


def percentile(values: list[float], percent: int) -> float:
    """The nearest rank: of 100 values, p99 is the 99th."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
