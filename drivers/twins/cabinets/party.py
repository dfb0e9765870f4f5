"""Who hangs on a wire of a simulated shop front? What boards and packs share, and what bad wires do to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from drivers.twins.cabinets.cabinet import Cabinet
from drivers.twins.cabinets.faults import CabinetFaultKind, CabinetFaults, Target
from drivers.twins.cabinets.shop import Shop
from drivers.twins.faults import Piece, around

_K = CabinetFaultKind
_GAP: Final = Piece(b"", after_us=3_000)  # from the end of a question to the answer of a small processor


class Hung:
    """A `raw_wire.Party` at its place in a shop. target: as faults name it."""

    def __init__(self, shop: Shop, cabinet: Cabinet, target: Target) -> None:
        self.shop = shop
        self.cabinet = cabinet
        self.target = target
        self.questions = 0  # heard, answered or not

    @property
    def faults(self) -> CabinetFaults:
        return self.cabinet.faults

    def hear(self, data: bytes) -> Sequence[Piece]:
        """What it says to that; nothing while it is dark."""
        self.shop.catch_up()
        if self.faults.on(_K.SEGMENT_DEAD) is not None or not self.live:
            return ()
        pieces: list[Piece] = []
        for answer in self.answers(data):
            self.questions += 1
            if answer:
                said = clashed(answer, self.faults.random) if self.collides else answer
                pieces += [_GAP, *spoil(self.faults, self.target, said, data)]
        return pieces if any(piece.data for piece in pieces) else ()

    def silence(self) -> None:
        raise NotImplementedError

    def answers(self, data: bytes) -> Iterator[bytes]:
        """An answer for each whole question; b"" is none. Questions are carried out one by one as it is drawn on."""
        raise NotImplementedError

    @property
    def live(self) -> bool:
        """It has power."""
        return self.cabinet.powered

    @property
    def collides(self) -> bool:
        """Another one answers the same question at the same time."""
        return False

    def mute(self) -> bool:
        """Whether a question stays without answer and effect, by a fault."""
        return self.faults.take(_K.SILENT, self.target) is not None


def clashed(data: bytes, random: Random) -> bytes:
    """What is heard when another one speaks at the same time: zeros win, bit by bit."""
    mixed = bytes(byte & random.randrange(256) for byte in data)
    return mixed if mixed != data else bytes(len(data))


def spoil(faults: CabinetFaults, target: Target, data: bytes, request: bytes) -> list[Piece]:
    """What goes on the wire for an answer; without faults the one piece."""

    def amount(kind: CabinetFaultKind) -> int:
        fault = faults.take(kind, target)
        return 0 if fault is None else fault.amount_or_usual

    random = faults.random
    for _ in range(amount(_K.GARBLE)):
        at = random.randrange(len(data))
        data = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
    data = data[: max(0, len(data) - amount(_K.SHORT))]
    if faults.take(_K.CLASH, target) is not None and data:
        data = clashed(data, random)
    echo = request if faults.take(_K.ECHO, target) is not None else b""
    return around([Piece(data)], random, noise_before=amount(_K.NOISE), echo=echo, late_ms=amount(_K.LATE))
