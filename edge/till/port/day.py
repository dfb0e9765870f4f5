"""The ports' part of a day close."""

from __future__ import annotations

from edge.till.state import PortSums, TillState
from protocols.trade.records import Draft
from protocols.trade.records_port import PortDayClosed


def day_drafts(state: TillState) -> tuple[Draft, ...]:
    """What stands right before the day's own record; none at a site where no port has ever had a session."""
    sums = state.ports.sums
    if sums == PortSums() and not state.ports.newest:
        return ()
    body = PortDayClosed(
        day=state.day.number,
        sessions=sums.sessions,
        energy_wh=sums.energy_wh,
        amount_fen=sums.amount_fen,
        unattributed=sums.unattributed,
        unattributed_wh=sums.unattributed_wh,
        stays=sums.stays,
        late_fen=sums.late_fen,
    )
    return (Draft(body),)
