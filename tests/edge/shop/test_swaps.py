"""Swaps, rents and returns as they should go, on a cabinet whose riders do as riders do."""

from __future__ import annotations

from pathlib import Path

from drivers.twins.cabinets.pack import pack_code
from drivers.twins.cabinets.rider_words import swaps
from tests.edge.shop.shop_rig import a_shop


async def test_a_swap_from_card_to_closed(tmp_path: Path) -> None:
    """The old pack goes into the empty slot, the fullest comes out, and one swap of the plan is used."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        closed = await shop.end(60)
        assert (closed.outcome, closed.fault, closed.returned_slot, closed.taken_slot) == ("swapped", "", 1, 5)
        assert closed.returned is not None
        assert closed.taken is not None
        assert (closed.returned.code, closed.taken.code) == (pack_code(1), pack_code(105))
        assert shop.steps == [("accepted", 1, ""), ("open-full", 5, ""), ("given", 5, "")]
        assert (shop.rights().used, shop.rights().held) == (1, 0)
        assert shop.hands() == [pack_code(105)]
        assert shop.desk.state.shop.bound == {"ann": pack_code(105)}
        assert shop.cabinet.acts == [1, 5]
