"""Fillings at a DART pump, driver and twin joined by a line."""

from __future__ import annotations

from dart_rig import dart, fill, order

from drivers.pump import Sale
from drivers.twins.pumps.customer import fills


async def test_a_sale_by_amount_on_a_paced_line() -> None:
    """Twenty yuan at 9600 baud odd parity: pump, totals and truth agree to the mL and the fen."""
    async with dart(wire="pty", speed=20) as rig:
        filling = await fill(rig.pump, rig.bay, order("amount", 2_000), fills(1))
        assert filling.sale == Sale(nozzle=1, volume_ml=2_550, amount_fen=2_000, price_e3=785_000)
        assert filling.moved_ml == 2_550
        assert rig.dispenser.delivered_ul[1] == 2_550_000
