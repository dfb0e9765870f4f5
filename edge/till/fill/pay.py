"""Whether somebody may pay for a filling that another has guaranteed, and the record that does it."""

from __future__ import annotations

from collections.abc import Sequence

from edge.till import purse
from edge.till.ask import Opening, Refusal, Refused, Source
from edge.till.fill.limits import day_limit
from edge.till.fill.point import FuelPoint
from edge.till.fill.progress import FillPhase, FillProgress
from edge.till.fill.settle import fuel_worth_fen
from edge.till.fill.verdict import Verdict, judge
from edge.till.set_aside import Need, set_aside
from edge.till.state import OpenFilling, TillState
from protocols.trade.fuel_terms import NO_TERMS, FuelTerms, terms_of
from protocols.trade.records import Draft, Hold, SessionExtended, Stamp
from protocols.trade.tender import HOLDS_MAX, MONEY_ALONE, Tenders


def pay(
    state: TillState,
    filling: OpenFilling,
    progress: FillProgress,
    source: Source,
    now: Stamp,
    point: FuelPoint | None,
    terms: FuelTerms = NO_TERMS,
    tenders: Tenders = MONEY_ALONE,
) -> Opening | Refused:
    """A hold for all that the guarantor would still have to pay, no less; it is drawn on before the guarantor's."""
    verdict = judge(filling, progress, point) if point is not None and progress.phase == FillPhase.PAYING else None
    if verdict is None or verdict.bill is None:
        return Refused(Refusal.NO_SESSION, f"filling {filling.seq} waits for no payer")
    refused = _may_have(state, filling, verdict, source, terms)
    if refused is not None:
        return refused
    missing_fen = verdict.bill.amount_fen - fuel_worth_fen(filling.holds[1:], tenders)
    if missing_fen <= 0:
        return Refused(Refusal.NO_SESSION, f"filling {filling.seq} is paid for")

    def suffices(holds: Sequence[Hold]) -> bool:
        return fuel_worth_fen(holds, tenders) >= missing_fen

    need = Need(missing_fen, exact=True, least_fen=missing_fen, suffices=suffices)
    aside = set_aside(state, (source,), need, tenders, now.lb_ms)
    if isinstance(aside, Refused):
        return aside
    if len(filling.holds) + len(aside.holds) > HOLDS_MAX:
        return Refused(Refusal.NOT_ENOUGH, f"filling {filling.seq} takes at most {HOLDS_MAX} holds")
    return Opening(Draft(SessionExtended(filling.seq, aside.holds)), tuple(aside.wants))


def _may_have(
    state: TillState, filling: OpenFilling, verdict: Verdict, source: Source, document: FuelTerms
) -> Refused | None:
    """A card for diesel alone pays for nothing else, and nobody for more than a day's limit leaves. A card with a limit
    of its own pays before it fills or not at all: no record would say which card it was that paid afterwards.
    """
    lease = purse.lease_of(state, account=source.account, credential=source.credential, asset=source.asset)
    held_to = terms_of(document, lease.account if lease is not None else source.account, source.credential)
    sold = verdict.sold
    assert sold is not None  # it has a bill
    if any(one.grades and sold.grade not in one.grades for one in held_to):
        return Refused(Refusal.WRONG_GRADE, f"this payer may not have {sold.grade}")
    if any(one.credential and one.day_ml for one in held_to):
        return Refused(Refusal.DAY_LIMIT, "a card with a day's limit of its own does not pay afterwards")
    limit = day_limit(state.forecourt, held_to, filling.opened.local_day, [sold])
    if limit.left_ml is not None and verdict.volume_ml > limit.left_ml:
        return Refused(Refusal.DAY_LIMIT, f"{max(0, limit.left_ml)} mL of {limit.day_ml} mL a day are left")
    return None
