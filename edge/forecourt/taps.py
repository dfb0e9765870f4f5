"""What does a card at an island's reader mean? A start, a start taken back, or the payment of what has been poured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from drivers.pump import PumpState
from edge.forecourt.islands import Islands
from edge.till import purse
from edge.till.ask import Refusal, Refused, Source
from edge.till.fill.ask import FillAsk
from edge.till.fill.progress import FillEnd, FillPhase
from edge.till.state import OpenFilling
from protocols.trade.grants import hide_credential
from protocols.trade.records import Origin, Preset

NOT_FLOWING = (FillPhase.ORDERED, FillPhase.AUTHORISED)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PumpTapped:
    """What a tap came to: a filling opened, cancelled or paid for, or why not. pump: empty: nobody knows which."""

    pump: str
    filling: OpenFilling | None
    cancelled: bool = False
    refused: Refused | None = None


async def tap(islands: Islands, names: Sequence[str], card: str) -> PumpTapped:
    """A card at a reader of these pumps: starts a fill-up where a nozzle is out, or at the only pump.

    The payer's second tap takes the start back as long as nothing has flowed. At a pump that waits for a payer, the
    card pays, unless a nozzle is out at another, or another waits too: nobody pays for what another has poured. Raises
    JournalFull.
    """
    credential, fills = hide_credential(islands.site.credential_key, card), islands.fills
    pumps = [islands.id_of(name) for name in names]
    at = {pump: found for pump in pumps if (found := fills.filling_at(pump)) is not None}
    for pump, (filling, progress) in at.items():
        if progress.phase in NOT_FLOWING and purse.may_stop(fills.desk.state, filling, credential):
            await islands.stop(filling.seq, FillEnd.LOCAL)
            return PumpTapped(pump, filling, cancelled=True)
    waiting = [(pump, filling) for pump, (filling, progress) in at.items() if progress.phase is FillPhase.PAYING]
    if len(waiting) == 1 and not any(_calls(islands, pump) for pump in pumps):
        pump, filling = waiting[0]
        paid = await islands.pay(filling.seq, Source("", credential))
        return PumpTapped(pump, None, refused=paid) if isinstance(paid, Refused) else PumpTapped(pump, paid)
    chosen = _lifted(islands, pumps) if not waiting else _unclear([pump for pump, _ in waiting])
    if isinstance(chosen, Refused):
        log.info("refused", pumps=pumps, why=chosen.refusal.value, detail=chosen.detail)
        return PumpTapped("", None, refused=chosen)
    origin = Origin("card", credential, 0, "")
    outcome = await islands.start(FillAsk(chosen, Preset("full", 0), origin, (Source("", credential),), credential))
    if isinstance(outcome, Refused):
        return PumpTapped(chosen, None, refused=outcome)
    return PumpTapped(chosen, outcome)


def _lifted(islands: Islands, pumps: Sequence[str]) -> str | Refused:
    """The pump that a tap is for: the only one, or the only one with a nozzle out."""
    if len(pumps) == 1:
        return pumps[0]
    lifted = [pump for pump in pumps if _calls(islands, pump)]
    if len(lifted) == 1:
        return lifted[0]
    detail = f"nozzles are out at {', '.join(lifted)}" if lifted else "no nozzle is out"
    return Refused(Refusal.NOZZLE_NOT_LIFTED, f"{detail}; expected one")


def _unclear(waiting: Sequence[str]) -> Refused:
    detail = f"{', '.join(waiting)} wait for a payer, and the card may be for another pump of this reader"
    return Refused(Refusal.PUMP_BUSY, f"{detail}: pay with the attendant")


def _calls(islands: Islands, pump: str) -> bool:
    if islands.fills.filling_at(pump) is not None or pump not in islands.loops:
        return False
    status = islands.loops[pump].eye.sight().status_within(islands.fills.policy.silence_s * 1000)
    return status is not None and status.state is PumpState.CALLING
