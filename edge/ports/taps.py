"""What does a card at a board's reader mean, or a code for one of its ports? A start, a stop, or a locker's door."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.port_board import PortState
from edge.ports.ports import PortHall
from edge.till import purse
from edge.till.ask import Refusal, Refused, Source
from edge.till.port.ask import PortAsk, StayAsk
from edge.till.port.place import PortPlace
from edge.till.port.progress import PortEnds
from edge.till.port.start import owns
from edge.till.state import OpenPort, OpenStay, port_key
from protocols.trade.grants import hide_credential
from protocols.trade.records import Origin, Preset

FULL = Preset("full", 0)
AGAIN_S = 5
"""A second tap within this is no wish to stop: boards answer a card seconds later, and some say it twice."""


@dataclass(frozen=True, slots=True)
class PortTapped:
    """What a tap came to. place: empty: nobody knows which. ended: it stopped a session, or opened a locker."""

    place: str
    found: OpenPort | OpenStay | None
    ended: bool = False
    refused: Refused | None = None


async def tap(hall: PortHall, board: str, card: str) -> PortTapped:
    """A card at a reader of this board.

    What is its own comes first: a locker opens, a session stops. Else the only port with something plugged in and
    nothing ordered begins; a board of lockers gives the first that is free, and charges what is put in. Raises
    JournalFull.
    """
    credential = hide_credential(hall.site.credential_key, card)
    origin, source = Origin("card", credential, 0, ""), Source("", credential)
    state = hall.ports.desk.state
    own = [
        stay for stay, _ in hall.lockers.desk.stays() if stay.opened.board == board and owns(state, stay, credential)
    ]
    if own:  # one whose door is stuck is tried again after the others
        next_one = min(own, key=lambda stay: (stay.wanted is not None, stay.door.lb_ms if stay.door else 0, stay.seq))
        return _told(next_one.place, await hall.lockers.collect(next_one.place, origin), ended=True)
    for session, progress in hall.ports.sessions():
        if session.opened.board == board and progress.may_flow and purse.may_stop(state, session, credential):
            if _just_begun(hall, session, credential):
                return PortTapped(session.place, session)
            await hall.stop(session.seq, PortEnds.LOCAL)
            return PortTapped(session.place, session, ended=True)
    places = [place for place in hall.ports.places.values() if place.board == board]
    if any(place.locker for place in places):
        stay_ask = StayAsk(_free_locker(hall, places), origin, (source,), credential, charge=FULL)
        outcome = await hall.lockers.store(stay_ask)
        return _told(outcome.place if isinstance(outcome, OpenStay) else "", outcome)
    chosen = _plugged(hall, places)
    if isinstance(chosen, Refused):
        return PortTapped("", None, refused=chosen)
    ask = PortAsk(chosen, FULL, origin, (source,), credential)
    return _told(chosen, await hall.start(ask))


async def tap_at(hall: PortHall, place: str, card: str) -> PortTapped:
    """A card at the reader of one port: ends the session that it pays for, opens its own locker, else begins there.

    Raises JournalFull.
    """
    credential = hide_credential(hall.site.credential_key, card)
    origin, source = Origin("card", credential, 0, ""), Source("", credential)
    running, stay = hall.ports.session_at(place), hall.lockers.desk.stay_at(place)
    if stay is not None:
        return _told(place, await hall.lockers.collect(place, origin), ended=True)
    if running is not None and purse.may_stop(hall.ports.desk.state, running[0], credential):
        if _just_begun(hall, running[0], credential):
            return PortTapped(place, running[0])
        await hall.stop(running[0].seq, PortEnds.LOCAL)
        return PortTapped(place, running[0], ended=True)
    if place in hall.lockers:
        stay_ask = StayAsk(place, origin, (source,), credential, charge=FULL)
        return _told(place, await hall.lockers.store(stay_ask))
    return _told(place, await hall.start(PortAsk(place, FULL, origin, (source,), credential)))


async def code(
    hall: PortHall, place: str, preset: Preset, origin: Origin, payer: Source, *, pin: str = ""
) -> OpenPort | OpenStay | Refused:
    """A code from a phone for one port: begins there; at a locker it opens the account's own, or takes a free one.

    pin: that a locker which is taken shall open to, too; empty: none.
    """
    if place not in hall.lockers:
        return await hall.start(PortAsk(place, preset, origin, (payer,)))
    found = hall.lockers.desk.stay_at(place)
    if found is not None:
        return await hall.lockers.collect(place, origin, account=payer.account)
    return await hall.lockers.store(StayAsk(place, origin, (payer,), charge=preset), pin=pin)


def _just_begun(hall: PortHall, session: OpenPort, credential: bytes) -> bool:
    """Whether this card began it a moment ago: it still lies there, or its owner did not hear so and tapped again."""
    now, stamp = hall.ports.now(), session.stamp
    just_now = stamp.boot == now.boot and now.mono_ms - stamp.mono_ms < AGAIN_S * 1000
    return just_now and session.opened.origin.credential == credential


def _told(place: str, outcome: OpenPort | OpenStay | Refused, *, ended: bool = False) -> PortTapped:
    if isinstance(outcome, Refused):
        return PortTapped(place, None, refused=outcome)
    return PortTapped(place, outcome, ended=ended)


def _free_locker(hall: PortHall, places: list[PortPlace]) -> str:
    """The first of this board that may be given to somebody; where there is none, one that says why."""
    for place in places:
        if place.locker and hall.lockers.desk.unfit(place, hall.sight(place)) is None:
            return place.id
    return next(place.id for place in places if place.locker)


def _plugged(hall: PortHall, places: list[PortPlace]) -> str | Refused:
    """The port that a tap is for: the only one with something plugged in and no order, or the only one."""
    if len(places) == 1:
        return places[0].id
    silence_ms = hall.ports.policy.silence_s * 1000
    waiting: list[str] = []
    for place in places:
        status = hall.sight(place).status_within(silence_ms)
        plugged = status is not None and (status.state is PortState.PLUGGED or status.plugged)
        if plugged and hall.ports.session_at(place.id) is None:
            waiting.append(port_key(place.board, place.port))
    if len(waiting) == 1:
        return waiting[0]
    detail = f"something is plugged in at {', '.join(waiting)}" if waiting else "nothing is plugged in"
    return Refused(Refusal.NOT_PLUGGED, f"{detail}; expected one port")
