"""The line that pumps hang on, which brings them up to the wall clock while nobody asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from drivers.twins.pty import BITS_PER_CHARACTER
from drivers.twins.pumps.bay import Bay
from drivers.twins.raw_wire import RawWire


class PumpWire(RawWire):
    """A `RawWire` of fuelling positions."""

    def __init__(
        self,
        bays: Sequence[Bay],
        *,
        kind: Literal["pty", "tcp"] = "pty",
        baud: int = 9600,
        bits: int = BITS_PER_CHARACTER,
        link: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        echo: bool = False,
    ) -> None:
        self.bays = tuple(bays)
        super().__init__(
            bays, kind=kind, baud=baud, bits=bits, link=link, host=host, port=port, echo=echo, tick=self._catch_up
        )

    def _catch_up(self) -> None:
        for bay in self.bays:
            bay.catch_up()
