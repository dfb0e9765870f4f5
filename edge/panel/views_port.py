"""What the panel shows of charging ports and lockers, as plain values. Looks, never touches."""

from __future__ import annotations

from edge.panel.messages_port import PortSessionView, PortView, StayView
from edge.panel.record_view import preset_text
from edge.ports.port_desk import PortDesk
from edge.ports.ports import PortHall
from edge.till.port.cost import most_fen
from edge.till.port.door import DoorRow
from edge.till.port.locker import billed_seconds, stay_seconds
from edge.till.port.place import PortPlace
from edge.till.port.progress import PortProgress
from edge.till.port.settle import delivered
from edge.till.state import OpenPort, OpenStay
from protocols.trade.port_prices import late_bill
from protocols.trade.quantities import kwh
from protocols.trade.records import CNY, session_id


def ports(hall: PortHall) -> list[PortView]:
    """All of the config."""
    return [port(hall, place) for place in hall.ports.places.values()]


def port(hall: PortHall, place: PortPlace) -> PortView:
    """One port as last told."""
    loop, sight = hall.loops[place.board], hall.sight(place)
    status = sight.status_within(hall.ports.policy.silence_s * 1000)
    running, taken = hall.ports.session_at(place.id), hall.lockers.desk.stay_at(place.id)
    return PortView(
        place=place.id,
        board=place.board,
        port=place.port,
        price=place.price,
        state=None if status is None else status.state.value,
        reason="" if status is None else status.reason,
        plugged=None if status is None else status.plugged,
        door_open=None if status is None else status.door_open,
        age_ms=None if sight.status_ms is None else sight.now.mono_ms - sight.status_ms,
        session=None if running is None else session(hall.ports, *running),
        stay=None if taken is None else stay(hall, *taken),
        error=None if loop.error is None else f"{loop.error}. {loop.error.remedy}",
    )


def session(desk: PortDesk, opened: OpenPort, progress: PortProgress) -> PortSessionView:
    """An open session."""
    state, body, now = desk.desk.state, opened.opened, desk.now()
    terms = desk.terms_of(opened)
    so_far = most_fen(terms, delivered(opened, progress, terms), body.clock_lb_ms, body.clock_ub_ms)
    same_boot = now.boot == opened.stamp.boot
    return PortSessionView(
        id=session_id(state.site, state.epoch, opened.seq),
        seq=opened.seq,
        place=opened.place,
        account=opened.account,
        phase=progress.phase.value,
        reason=None if progress.reason is None else progress.reason.value,
        detail=progress.detail,
        preset=preset_text(body.preset),
        order=f"{kwh(body.order_limit)} kWh" if body.order_kind == "energy" else f"{body.time_max_s // 60} min",
        energy_wh=progress.energy_wh,
        elapsed_s=progress.elapsed_s,
        power_w=progress.power_w,
        fen=so_far if progress.elapsed_s or progress.energy_wh else 0,
        hold_fen=desk.hold_fen(opened),
        since_s=(now.mono_ms - opened.stamp.mono_ms) // 1000 if same_boot else None,
        finding=opened.finding,
    )


def stay(hall: PortHall, opened: OpenStay, row: DoorRow) -> StayView:
    """A locker in use."""
    state, now = hall.ports.desk.state, hall.ports.now()
    stay_s = stay_seconds(opened, now)
    if opened.stored is None:
        word = "filling" if row.opened else "opening"
    else:
        word = "overdue" if opened.overdue else "stored"
    return StayView(
        id=session_id(state.site, state.epoch, opened.seq),
        seq=opened.seq,
        place=opened.place,
        account=opened.opened.account,
        state=word,
        pin=bool(opened.opened.secret),
        stay_s=stay_s,
        fen=late_bill(hall.lockers.desk.price_of_stay(opened), billed_seconds(opened, now)).amount_fen,
        hold_fen=sum(hold.amount for hold in opened.holds if hold.asset == CNY),
    )
