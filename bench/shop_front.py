"""What stands at the shop fronts of the benchmarks: cabinets, boards, lines and packs, in a gateway's own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from drivers.boards.config import BoardConfig
from drivers.cabinets.config import CabinetConfig, PackConfig, SlotConfig
from drivers.twins.cabinets.config import ShopConfig, TwinPackConfig

CABINETS: Final = 5
SLOTS: Final = 12
RELAYS: Final = 8  # of one relay board
FAST_S: Final = 0.02  # between two polls of a board: as often as a config may have it, and more than its line carries
ASKED_ALONE_S: Final = 600.0  # between two polls of a pack: none comes by while a benchmark asks


def shared(packs: int = 0, *, poll_s: float | None = FAST_S) -> ShopConfig:
    """Lock boards on one line, input boards on another, relay boards on a third; a line for each slot's pack, if any.

    packs: so many in each cabinet, in the first slots.
    """
    numbers = range(1, CABINETS + 1)
    return ShopConfig(
        board=tuple(board for number in numbers for board in _boards(number, poll_s)),
        cabinet=tuple(_cabinet(number, packs=packs > 0) for number in numbers),
        pack=tuple(_packs(number, packs) for number in numbers if packs),
    )


def behind_relays() -> ShopConfig:
    """One cabinet, whose packs share a line: a relay for each connects it."""
    cabinet, mux = _cabinet(1, packs=False), ("mux-1", "mux-2")
    slots = [
        SlotConfig(
            number=number,
            lock=f"locks-1/{number}",
            door_open=f"inputs-1/{number}",
            present=f"inputs-1/{SLOTS + number}",
            pack=PackConfig(
                protocol="greenway",
                line="packs",
                mux=f"{mux[(number - 1) // RELAYS]}/{(number - 1) % RELAYS + 1}",
            ),
        )
        for number in range(1, SLOTS + 1)
    ]
    boards = [board for board in _boards(1, None) if board.protocol == "xor" or board.options.get("relays") == 0]
    relays = [BoardConfig(id=name, protocol="relay", line="mux", address=at) for at, name in enumerate(mux, 1)]
    return ShopConfig(
        board=(*boards, *relays),
        cabinet=(CabinetConfig(id=cabinet.id, slot=tuple(slots), pack_poll_s=ASKED_ALONE_S),),
        pack=(_packs(1, SLOTS),),
    )


FRONTS: Final[Mapping[str, Callable[[], ShopConfig]]] = {
    "doors": shared,
    "full": lambda: shared(SLOTS, poll_s=None),
    "packs": lambda: shared(SLOTS - 1, poll_s=None),
    "behind-relays": behind_relays,
}
"""By the name that `bench.shop_twins` takes."""


def _boards(number: int, poll_s: float | None) -> list[BoardConfig]:
    first = 2 * number - 1
    return [
        BoardConfig(id=f"locks-{number}", protocol="xor", line="locks", address=number, feedback="nc", poll_s=poll_s),
        BoardConfig(
            id=f"inputs-{number}",
            protocol="relay",
            line="inputs",
            address=number,
            poll_s=poll_s,
            options={"relays": 0, "inputs": 2 * SLOTS},
        ),
        BoardConfig(id=f"relays-{number}a", protocol="relay", line="relays", address=first, poll_s=poll_s),
        BoardConfig(id=f"relays-{number}b", protocol="relay", line="relays", address=first + 1, poll_s=poll_s),
    ]


def _cabinet(number: int, *, packs: bool) -> CabinetConfig:
    """Twelve slots with a lock, a door's and a presence input, and a charger each, in two runs: a relay board has eight
    relays.
    """

    def run(first: int, count: int, relays: str) -> SlotConfig:
        return SlotConfig(
            number=first,
            count=count,
            lock=f"locks-{number}/{first}",
            door_open=f"inputs-{number}/{first}",
            present=f"inputs-{number}/{SLOTS + first}",
            charger=f"relays-{number}{relays}/1",
            charge_power_w_max=600,
            pack=PackConfig(protocol="greenway", line=f"pack-{number}-{{slot}}") if packs else None,
        )

    slots = (run(1, RELAYS, "a"), run(RELAYS + 1, SLOTS - RELAYS, "b"))
    return CabinetConfig(id=f"cab-{number}", slot=slots)


def _packs(number: int, count: int) -> TwinPackConfig:
    """Full ones in the slots from 1 on."""
    return TwinPackConfig(number=100 * number, count=count, cabinet=f"cab-{number}", slot=1, protocol="greenway")
