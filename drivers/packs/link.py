"""The pack link: what asks the pack in one slot, whatever protocol its BMS speaks."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from drivers.api import Link
from drivers.errors import Silent, Transient
from protocols.fieldbus.pack import PackReading


class Vacant(Silent):
    """The slot's own board, which is there, says that no pack is."""


class Unheard(Transient):
    """Whoever speaks for the pack does not answer: nothing is known of it, not even that it is silent."""

    remedy = "Look at the slot's board: its supply, its wires, its address."


class PackLink(Protocol):
    """The data wire of one slot. It stays when packs come and go; who answers is in the reading.

    Several links may have one line, each behind a relay that connects its slot. Whoever switches the relays lets no two
    of them ask at once (`drivers/cabinets/mux.py`).
    """

    @property
    def profile_id(self) -> str:
        """The protocol, as config names it."""
        ...

    @property
    def wakes_by(self) -> Literal["frame", "charger", "none"]:
        """What wakes a sleeping pack of this kind: `wake`, a pulse of the slot's charger, or nothing that we have."""
        ...

    async def read(self) -> PackReading:
        """What the pack says now. Each call asks: a pack may have been put in a moment ago, so a link does not back
        off; whoever polls it paces.

        Raises DeviceError: Silent where a pack could have answered, Vacant where a board says that there is none,
        Unheard or LineDown where nobody could; Garbled for noise; DeviceFault for a sound answer whose values cannot
        be.
        """
        ...

    async def wake(self) -> None:
        """Send what wakes it; nothing where `wakes_by` is not `frame`. Raises LineDown; silence is no error here."""
        ...

    def judge(self, *, expected: bool) -> None:
        """Count what was silent since the last time, as only the slot's other sensors can tell: an empty slot, or a
        pack that slept at first, is `quiet`; anything else has failed.
        """
        ...

    def forget(self) -> None:
        """Another pack may be here: its door was open, or its switch has moved. The next read asks everything anew."""
        ...

    def findings(self) -> tuple[str, ...]:
        """What a person should put right in the config of this link, in words. No I/O."""
        ...

    def link(self) -> Link:
        """How the conversation goes. No I/O."""
        ...


@runtime_checkable
class ChargeSwitch(Protocol):
    """A pack link that can also turn off the pack's own charge switch, where config allows it.

    A charger's relay is the better switch: it needs no pack that obeys.
    """

    async def switch_charge(self, on: bool) -> None:
        """Returns when the pack reads back so.

        Raises Unsupported where the protocol has no such switch or config does not allow it; DeviceFault when the pack
        says afterwards that it is not so; other DeviceErrors leave open what it did.
        """
        ...
