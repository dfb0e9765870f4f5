"""What is there to see of a port or locker for whoever stands before it? Plain values; no account, card or PIN."""

from __future__ import annotations

from dataclasses import dataclass

from edge.page import locker_values
from edge.page.locker_values import NOTHING, Kept
from edge.panel import views_port
from edge.panel.messages_port import PortView
from edge.ports.ports import PortHall
from edge.till.ask import Refusal
from edge.till.hours import open_now
from edge.till.port import begin
from edge.till.port.place import PortPlace
from edge.till.port.progress import PortPhase, PortProgress
from edge.till.state import OpenPort
from protocols.trade.port_prices import PortPrice, price_of
from protocols.trade.records import Stamp
from protocols.trade.tariff import Tariff

_CUSTOMERS_OWN = (Refusal.NOT_PLUGGED, Refusal.LOCKER_EMPTY, Refusal.NOT_OWNER)
"""Refusals that do not speak against the place."""


_PHASES = {
    PortPhase.ORDERED: "port-starting",
    PortPhase.RUNNING: "port-charging",
    PortPhase.STOPPING: "port-stopping",
    PortPhase.ENDED: "port-ended",
}


@dataclass(frozen=True, slots=True)
class Course:
    """How a session stands, by its word. back_min: the port says that it has not begun; in so many minutes, should it
    go on saying so, what is held goes back. bare: it says that nothing is plugged in.
    """

    word: str
    back_min: int | None = None
    bare: bool = False


@dataclass(frozen=True, slots=True)
class PortHere:
    """view: as the panel has it: its account is not for this page. closed: the refusal that everybody would get now;
    empty: none. price, tariff: in force; None: none is. cap_fen: the most that is held without an amount, where the
    price names none. free: other lockers of the same board that are. hours: in which sessions begin; none: always.
    course: of its session. kept: how a pack in there fares.
    """

    view: PortView
    now: Stamp
    locker: bool
    feels_plug: bool
    power_w_max: int
    closed: str
    price: PortPrice | None
    tariff: Tariff | None
    cap_fen: int
    free: tuple[str, ...] = ()
    hours: tuple[str, ...] = ()
    course: Course | None = None
    kept: Kept = NOTHING


def every(hall: PortHall) -> list[PortHere]:
    """All of the config, without word of each other."""
    return [_here(hall, place, ()) for place in hall.ports.places.values()]


def port(hall: PortHall, name: str) -> PortHere:
    """One by its id. No I/O."""
    place = hall.ports.places[name]
    return _here(hall, place, _others(hall, place) if place.locker else ())


def _here(hall: PortHall, place: PortPlace, free: tuple[str, ...]) -> PortHere:
    prices, desk = hall.ports.prices, hall.ports
    running, taken = desk.session_at(place.id), hall.lockers.desk.stay_at(place.id)
    return PortHere(
        view=views_port.port(hall, place),
        now=desk.now(),
        locker=place.locker,
        feels_plug=place.traits.feels_plug,
        power_w_max=place.traits.power_w_max,
        closed=_closed(hall, place),
        price=None if prices is None else price_of(prices, place.price),
        tariff=desk.desk.tariff,
        cap_fen=desk.policy.fill_up_cap_fen,
        free=free,
        hours=desk.policy.hours,
        course=None if running is None else course(hall, *running),
        kept=NOTHING if taken is None else locker_values.kept(hall, *taken),
    )


def course(hall: PortHall, opened: OpenPort, progress: PortProgress) -> Course:
    """Of an open session: as far as its port has said, and no further."""
    if opened.finding is not None:
        return Course("port-held")
    if progress.cut:
        return Course("port-cut")
    phase = _PHASES[progress.phase]
    if progress.ran or not progress.taken:
        return Course(phase)
    if progress.gap:  # it may have delivered unheard
        return Course("port-unheard")
    if not begin.says_idle(progress):
        return Course("port-taken" if progress.phase is PortPhase.RUNNING else phase)
    desk = hall.ports
    back_ms = begin.comes_back_ms(progress, desk.now().mono_ms, desk.policy)
    back_min = None if back_ms is None else max(1, -(-back_ms // 60_000))
    code = "port-waiting" if progress.reason is None else "port-letting-go"
    return Course(code, back_min, _is_bare(hall, opened))


def _is_bare(hall: PortHall, opened: OpenPort) -> bool:
    loop = hall.loops.get(opened.opened.board)
    status = None if loop is None else loop.sight(opened.opened.port).status
    return status is not None and status.plugged is False


def _closed(hall: PortHall, place: PortPlace) -> str:
    alone, policy = not hall.site.is_online(), hall.ports.policy
    if place.locker:
        if not open_now(policy.hours, policy.utc_offset_min, hall.ports.now()):
            return Refusal.PORTS_CLOSED.value
        refused = hall.ports.desk.no_starts(alone=alone) or hall.lockers.desk.unfit(place, hall.sight(place))
    else:
        refused = hall.ports.closed_to_all(place, hall.sight(place), alone=alone)
    return "" if refused is None or refused.refusal in _CUSTOMERS_OWN else refused.refusal.value


def _others(hall: PortHall, place: PortPlace) -> tuple[str, ...]:
    """Lockers of the same board that may be had now."""
    same = (other for other in hall.lockers.desk.places.values() if other.board == place.board and other != place)
    return tuple(other.id for other in same if hall.lockers.desk.unfit(other, hall.sight(other)) is None)
