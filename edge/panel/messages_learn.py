"""What the panel says of how a cabinet is wired."""

from __future__ import annotations

import msgspec


class LookView(msgspec.Struct, frozen=True):
    """As `drivers.cabinets.evidence.Look`."""

    contact: bool | None
    door: bool | None


class WiredView(msgspec.Struct, frozen=True):
    """A slot's lock and door as config names them now. door: its input without `not`; None: it has none of its own.

    feedback: as config says, or the protocol; None: nobody has said.
    """

    cabinet: str
    slot: int
    board: str
    lock: str
    feedback: str | None
    door: str | None
