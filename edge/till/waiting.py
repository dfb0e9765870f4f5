"""How long has something been held for review? Never more than it truly has."""

from __future__ import annotations

from protocols.trade.records import Stamp


def waited_ms(held: Stamp, before_ms: int, looked_ms: int | None, now: Stamp) -> int:
    """What it was looked at for, through all boots, or what the bounds of both instants prove, whichever is longer.

    before_ms: as reckoned at the last look, in this boot at looked_ms; None: it has not been looked at in this boot. A
    power cut does not begin the wait anew.
    """
    waited = before_ms
    if looked_ms is not None:
        waited += max(0, now.mono_ms - looked_ms)
    if held.boot == now.boot:
        waited = max(waited, now.mono_ms - held.mono_ms)
    if held.ub_ms is not None:
        waited = max(waited, now.lb_ms - held.ub_ms)
    return waited
