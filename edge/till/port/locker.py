"""Who may have a locker, who may open it again, and the records that say so. No door moves here."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from drivers.port_board import PortState
from edge.till import purse
from edge.till.ask import Opening, Refusal, Refused, Source, Want
from edge.till.hours import open_now
from edge.till.port.again import rest_of
from edge.till.port.ask import PortAsk, StayAsk
from edge.till.port.place import PortPlace
from edge.till.port.policy import PortPolicy
from edge.till.port.sight import PortSight
from edge.till.port.start import after_hours, owns, session_at, stay_at, terms_for
from edge.till.set_aside import Need, set_aside
from edge.till.settle import OPERATOR, fold_drafts
from edge.till.start import may_not_start, opening_bounds
from edge.till.state import OpenStay, TillState, lease_key
from edge.till.waiting import waited_ms
from protocols.trade.hotlist import HotList
from protocols.trade.port_prices import PortPrice, PortPrices, late_bill, late_most_fen
from protocols.trade.records import CNY, Draft, Effect, Hold, Move, Notice, Origin, SessionVoided, Stamp
from protocols.trade.records_port import LockerClosed, LockerDoor, LockerOpened, LockerOverdue, LockerStored
from protocols.trade.tariff import Tariff
from protocols.trade.tender import MONEY_ALONE, Tenders, all_worth_fen, owed_by, payers


def open_stay(
    state: TillState,
    ask: StayAsk,
    place: PortPlace | None,
    sight: PortSight,
    prices: PortPrices | None,
    tariff: Tariff | None,
    policy: PortPolicy,
    *,
    hot_list: HotList | None = None,
    tenders: Tenders = MONEY_ALONE,
) -> Opening | Refused:
    """Decide on `ask` from what is in the log and what is seen at the locker."""
    if place is None or not place.locker:
        return Refused(Refusal.UNKNOWN_PORT, f"no locker {ask.place} at this site")
    if not open_now(policy.hours, policy.utc_offset_min, sight.now):
        return after_hours(policy)
    terms = terms_for(state, place, prices, tariff)
    if isinstance(terms, Refused):
        return terms
    unfit = locker_unfit(state, place, sight, policy)
    if unfit is not None:
        return unfit
    sources = ask.sources or (Source("", ask.credential),)
    refused = may_not_start(state, ask.origin, sources, sight.now, hot_list)
    if refused is not None:
        return refused
    lease = purse.lease_of(state, account=sources[0].account, credential=sources[0].credential)
    if lease is None and not ask.secret and not ask.credential:
        return Refused(Refusal.UNKNOWN_ACCOUNT, "nobody could open it again")
    if _has_enough(state, ask, lease.account if lease is not None else "", policy):
        who = () if lease is not None else (Want(sources[0], 1),)  # headquarters may know whose card it is
        return Refused(Refusal.TOO_MANY_LOCKERS, "whoever asks has as many lockers already as one may have", who)
    holds: Sequence[Hold] = ()
    most_fen = late_most_fen(terms.price)
    if most_fen:
        need = Need(most_fen, True, most_fen, lambda held: all_worth_fen(held, tenders) >= most_fen)
        aside = set_aside(state, sources, need, tenders, sight.now.lb_ms)
        if isinstance(aside, Refused):
            return aside
        holds = aside.holds
    bounds = opening_bounds(sight.now)
    opened = LockerOpened(
        board=place.board,
        port=place.port,
        account=lease.account if lease is not None else "",
        holds=list(holds),
        price=terms.price.name,
        secret=ask.secret,
        charge=ask.charge,
        charge_by="" if ask.credential else "+".join(f"{one.account}:{one.asset}" for one in ask.sources),
        origin=ask.origin,
        pins=[state.pins[pinned] for pinned in sorted(state.pins)],
        clock_lb_ms=bounds[0],
        clock_ub_ms=bounds[1],
    )
    return Opening(Draft(opened))


def locker_unfit(state: TillState, place: PortPlace, sight: PortSight, policy: PortPolicy) -> Refused | None:
    """Why this locker cannot be given to anybody now. A door that stands open may hide what is left behind it."""
    status = sight.status_within(policy.silence_s * 1000)
    if status is None or status.state is PortState.OUT:
        return Refused(Refusal.PORT_SILENT, f"locker {place.id} does not answer")
    if stay_at(state, place.id) is not None or session_at(state, place.id) is not None:
        return Refused(Refusal.LOCKER_FULL, f"locker {place.id} is somebody's")
    if status.plugged or (place.traits.feels_plug and status.state is not PortState.IDLE):
        return Refused(Refusal.LOCKER_FULL, f"something is plugged in behind the door of {place.id}")
    if status.door_open:
        return Refused(Refusal.PORT_BUSY, f"the door of {place.id} stands open")
    return None


def open_again(
    state: TillState, stay: OpenStay, origin: Origin, now: Stamp, *, account: str = "", pin: bool = False
) -> Draft | Refused:
    """The record with which the owner takes the pack out. pin: it has been given, and was right."""
    if not pin and not owns(state, stay, origin.credential, account):
        return Refused(Refusal.NOT_OWNER, f"locker {stay.place} is somebody else's")
    if stay.stored is None:
        return Refused(Refusal.PORT_BUSY, f"locker {stay.place} is being filled: shut its door first")
    refused = may_not_start(state, origin, (Source(stay.opened.account or account, origin.credential),), now, None)
    return Draft(LockerDoor(stay.seq, "collect", origin, "")) if refused is None else refused


def stored(stay: OpenStay, *, unsure: bool = False) -> tuple[Draft, ...]:
    """The pack is in. unsure: nobody saw the door shut; what may be in there is somebody's."""
    drafts = [Draft(LockerStored(stay.seq, unsure))]
    if unsure:
        detail = f"stay {stay.seq}: the door was not watched; taken as full"
        drafts.append(Draft(Notice("locker-unsure", stay.place, detail)))
    return tuple(drafts)


def void(state: TillState, stay: OpenStay, now: Stamp, why: str) -> tuple[Draft, ...]:
    """Nothing was put in."""
    drafts = [Draft(SessionVoided(stay.seq, why))]
    if why == "door-stuck":
        drafts.append(door_stuck(stay))
    return (*drafts, *_returned(state, stay, drafts, now))


def closed(
    state: TillState, stay: OpenStay, now: Stamp, price: PortPrice, tenders: Tenders = MONEY_ALONE
) -> tuple[Draft, ...]:
    """The pack is out: its late days are billed, within what is held for them."""
    stay_s = billed_seconds(stay, now)
    cost = late_bill(price, stay_s)
    moves, overrun_fen = purse.captures(state, stay, owed_by(cost.lines), tenders)
    if overrun_fen:
        moves.append(Move(Effect.OVERRUN, OPERATOR, CNY, "", overrun_fen, state.overrun_fen + overrun_fen))
    body = LockerClosed(
        stay=stay.seq,
        outcome="removed" if stay.act == "remove" else "collected",
        stay_s=stay_s,
        lines=list(cost.lines),
        amount_fen=cost.amount_fen,
        exact_num=cost.exact_fen.numerator,
        exact_den=cost.exact_fen.denominator,
        overrun_fen=overrun_fen,
    )
    drafts = [Draft(body, tuple(moves))]
    return (*drafts, *_returned(state, stay, drafts, now))


def overdue(stay: OpenStay, now: Stamp, policy: PortPolicy) -> tuple[Draft, ...]:
    """Said once, when it is due; else nothing."""
    if stay.overdue or stay.stored is None:
        return ()
    stay_s = stay_seconds(stay, now)
    if stay_s < policy.overdue_s:
        return ()
    detail = f"stay {stay.seq}: nobody has come for {stay_s // 3600} h"
    return (Draft(LockerOverdue(stay.seq, stay_s)), Draft(Notice("locker-overdue", stay.place, detail)))


def door_forced(stay: OpenStay) -> Draft:
    return Draft(Notice("locker-forced", stay.place, f"stay {stay.seq}: its door is open, and nobody was let in"))


def door_stuck(stay: OpenStay) -> Draft:
    return Draft(Notice("locker-door-stuck", stay.place, f"stay {stay.seq}: the door has not opened"))


def door_open(stay: OpenStay) -> Draft:
    return Draft(Notice("locker-door-open", stay.place, f"stay {stay.seq}: the door has not been shut"))


def not_charging(stay: OpenStay, why: str) -> Draft:
    return Draft(Notice("locker-not-charging", stay.place, f"stay {stay.seq}: {why}"))


def stay_seconds(stay: OpenStay, now: Stamp) -> int:
    """How long the pack has been in, as far as that is proven."""
    return 0 if stay.stored is None else waited_ms(stay.stored, 0, None, now) // 1000


def billed_seconds(stay: OpenStay, now: Stamp) -> int:
    """How long its owner left it there: once they have come for it, a door that does not open is the operator's. None
    at all where nobody knows that anything lies there.
    """
    if stay.unsure:
        return 0
    return stay_seconds(stay, stay.wanted or now)


def charge_of(stay: OpenStay) -> PortAsk | None:
    """What has still to be started behind its door. None: nothing, or its owner wants the pack."""
    opened = stay.opened
    if stay.stored is None or stay.wanted is not None:
        return None
    if stay.rest is not None:
        return rest_of(stay)
    if opened.charge is None or stay.charged:
        return None
    by_card = Source("", opened.origin.credential)
    paid = [Source(payer.account, asset=payer.asset) for payer in payers(opened.charge_by)] if opened.charge_by else []
    by_code = opened.origin.via == "qr"  # its number is used up by the stay, and it brings all that may be spent
    origin = replace(opened.origin, via="locker" if by_code else opened.origin.via, number=0)
    credential = opened.origin.credential
    return PortAsk(stay.place, opened.charge, origin, tuple(paid) or (by_card,), credential, as_brought=by_code)


def _has_enough(state: TillState, ask: StayAsk, account: str, policy: PortPolicy) -> bool:
    """Whether one owner, or all whom nobody knows, have as many as they may. Staff at the panel give what they like."""
    if ask.origin.via == "panel":
        return False
    stays = state.ports.stays.values()
    if account:
        return sum(owns(state, stay, ask.credential, account) for stay in stays) >= policy.lockers_each
    unknown = [stay for stay in stays if not stay.opened.account and stay.opened.origin.via != "panel"]
    own = sum(stay.opened.origin.credential == ask.credential for stay in unknown)
    return own >= policy.lockers_each or len(unknown) >= policy.lockers_unknown


def _returned(state: TillState, stay: OpenStay, drafts: Sequence[Draft], now: Stamp) -> list[Draft]:
    after = fold_drafts(state, list(drafts), now)
    brought = () if stay.cut is None else stay.cut.holds  # it waited here for the power
    return purse.returns(after, [lease_key(hold.account, hold.asset) for hold in (*stay.holds, *brought)])
