"""Charging at the shop's cabinets: the plant's loops, and what the till's log says of slots that they stop."""

from __future__ import annotations

from functools import partial

import structlog

from edge.clock import Clock
from edge.epochs import EpochOver
from edge.journal.errors import JournalFull
from edge.plant.charging_loop import ChargingLoop
from edge.plant.power import Power
from edge.plant.slot_charging import Charging
from edge.shop.shop import Shop
from protocols.trade.record_parts import ClockQuality
from protocols.trade.records import Draft, Notice
from protocols.trade.records_pack import SlotSet

log = structlog.get_logger()


def set_up_charging(shop: Shop, policy: Charging, power: Power | None, clock: Clock) -> dict[str, ChargingLoop]:
    """One loop for each cabinet, by its id; each within the budget where there is one."""
    loops: dict[str, ChargingLoop] = {}
    for name, serving in shop.loops.items():
        if power is not None:
            power.add_cabinet(serving.cabinet)
        loops[name] = ChargingLoop(
            serving.cabinet,
            policy,
            power,
            serving.forbidden,
            serving.locked,
            partial(lock, shop, name),
            partial(local_hour, policy, clock),
        )
    return loops


async def lock(shop: Shop, cabinet: str, slot: int, case: str, what: str) -> bool:
    """Nobody uses the slot until a person has looked: into the log. False: the log takes nothing now."""
    word = SlotSet(cabinet, slot, "locked", f"{case} {what}", "", 0)
    try:
        await shop.swaps.desk.record([Draft(word), Draft(Notice("charging-stopped", f"{cabinet}/{slot}", what))])
    except (JournalFull, EpochOver) as error:
        log.error("a slot could not be locked", cabinet=cabinet, slot=slot, error=str(error))
        return False
    shop.site.changed()
    return True


def local_hour(policy: Charging, clock: Clock) -> int | None:
    """The hour of the day at the site; None: the time is not known."""
    stamp = clock.stamp()
    if stamp.quality is ClockQuality.UNKNOWN:
        return None
    return (stamp.wall_ms // 60_000 + policy.utc_offset_min) // 60 % 24
