"""A locker's door between a record that lets it open and the one that says what came of it.

    let in (opened)      told to open -> seen open -> seen shut: stored         never seen open: void, the door is stuck
    let out (collect)    told to open -> seen open: the pack is the owner's     never seen open: stuck, ask again
    staff (remove)       as let out                                             (look) told to open, nothing follows
    nobody               seen open: forced

A door that stands open already was not opened for the owner who asks now: staff look behind it, or it was forced. It is
seen shut first and opened for them then, or it is stuck; whoever asks again while it opens for them asks once.

After a restart of the daemon nobody is known to stand there: no door is opened for an act of before, and none for an
act that its board was too long away for. What cannot be told is taken as *something may be in there*: the stay goes on,
and a person is told.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from drivers.port_board import PortStatus
from edge.till.port.policy import PortPolicy
from edge.till.state import OpenStay
from protocols.trade.records import Stamp

HAND_MS = 3_000
"""Nobody puts a pack in and shuts the door in less: a door seen shut again and again so closely has not opened."""


class DoorAct(StrEnum):
    """What follows from a look at the door."""

    NONE = "none"
    OPEN = "open"  # tell it to open: harmless when repeated
    STORED = "stored"
    UNSURE = "unsure"  # stored, though nobody saw the door shut
    VOID = "void"
    OUT = "out"  # the owner, or staff, has the pack
    STUCK = "stuck"  # say so; this act is over
    LEFT_OPEN = "left-open"  # say so
    FORCED = "forced"  # it is open, and nobody was let in: say so


class DoorRow(msgspec.Struct, frozen=True):
    """The newest act at one locker as last seen, and the wrong PINs of its stay.

    boot, about_ms, act: of the record that let the door open; of a row of another record its PINs and `uncharged` alone
    count. since_ms: of what was seen last, on this boot's clock. ajar_ms: since when it stands open for an act before
    this one. told: it may have been told to open. taken: its board has said that it opens: all that is known of a door
    that is not felt. lost: an answer to that has not come. opened: it has been seen open. blind: it may have been open
    and shut again unseen. over: nothing follows from this act any more. warned: that it stands open has been said.
    wrong_ms: of the last wrong PIN. uncharged: after so many power cuts what lies there is not charged, and that has
    been said.
    """

    stay: int
    boot: bytes
    about_ms: int
    since_ms: int
    act: str = ""
    ajar_ms: int | None = None
    told: bool = False
    taken: bool = False
    lost: bool = False
    opened: bool = False
    blind: bool = False
    over: bool = False
    warned: bool = False
    resumed: bool = False
    tries: int = 0
    wrong_ms: int = 0
    uncharged: int | None = None


def row_of(stay: OpenStay, row: DoorRow | None, now: Stamp) -> DoorRow:
    """The row of the newest act; a fresh one where the act is newer."""
    act = stay.door or stay.stamp
    if row is not None and (row.boot, row.about_ms) == (act.boot, act.mono_ms):
        return row
    if row is not None and stay.act == row.act == "collect" and waits(row):
        return replace(row, boot=act.boot, about_ms=act.mono_ms)
    tries, wrong_ms = (0, 0) if row is None else (row.tries, row.wrong_ms)
    uncharged = None if row is None else row.uncharged
    ajar_ms = None if row is None else row.since_ms if row.opened and row.ajar_ms is None else row.ajar_ms
    return DoorRow(
        stay.seq,
        act.boot,
        act.mono_ms,
        now.mono_ms,
        act=stay.act,
        ajar_ms=ajar_ms,
        over=stay.stored is not None and stay.door is None,
        tries=tries,
        wrong_ms=wrong_ms,
        uncharged=uncharged,
    )


def resume(row: DoorRow, now: Stamp) -> DoorRow:
    """After a restart of the daemon."""
    return replace(row, since_ms=now.mono_ms, resumed=True, wrong_ms=now.mono_ms if row.tries else 0)


def waits(row: DoorRow) -> bool:
    """Whether it has been told to open and has not been seen open."""
    return row.told and not (row.opened or row.over or row.resumed)


def is_for(row: DoorRow, *acts: str) -> bool:
    """Whether it is about to open for one of these, and has not been seen open."""
    return row.act in acts and not (row.opened or row.over or row.resumed)


def look(
    stay: OpenStay, row: DoorRow, status: PortStatus | None, now: Stamp, policy: PortPolicy, unseen_ms: int = 0
) -> tuple[DoorRow, DoorAct]:
    """What is seen of the door, and what follows. status: None: the board is silent. unseen_ms: the longest, since the
    last look and since it was told to open, that nobody has seen it.
    """
    storing = stay.stored is None
    waited_ms = now.mono_ms - row.since_ms
    if waits(row) and unseen_ms > HAND_MS and not row.blind:
        row = replace(row, blind=True)
    if status is None:
        gives_up = not (row.told or row.opened or row.over or row.resumed) and waited_ms >= policy.door_s * 1000
        if not gives_up:
            return row, DoorAct.NONE
        return replace(row, over=True), DoorAct.VOID if storing else DoorAct.STUCK
    if _is_anothers(stay, row, status, now, policy):
        if waited_ms < policy.door_s * 1000 and not row.resumed:
            return row, DoorAct.NONE
        return replace(row, over=True, opened=status.door_open is True, since_ms=now.mono_ms), DoorAct.STUCK
    if row.ajar_ms is not None and not row.over:
        row = replace(row, ajar_ms=None)
    open_now = status.door_open if status.door_open is not None else row.taken and not row.opened
    if open_now and not row.opened:
        forced = row.over and not storing
        row = replace(row, opened=True, since_ms=now.mono_ms)
        if forced:
            return row, DoorAct.FORCED
        return (row, DoorAct.OUT) if _out(stay, row) else (row, DoorAct.NONE)
    if row.opened:
        if storing and _is_shut(status, waited_ms, policy):
            return _shut(row, now), DoorAct.STORED
        if not storing and status.door_open is False:
            return _shut(row, now), DoorAct.NONE
        if open_now and not row.warned and waited_ms >= policy.shut_s * 1000:
            return replace(row, warned=True), DoorAct.LEFT_OPEN
        return row, DoorAct.NONE
    if row.over:
        return row, DoorAct.NONE
    if row.resumed:
        if not storing:
            return replace(row, over=True), DoorAct.STUCK
        return replace(row, over=True), DoorAct.UNSURE if row.told else DoorAct.VOID
    if row.told and waited_ms >= policy.door_s * 1000:
        if not storing:
            return replace(row, over=True), DoorAct.STUCK
        watched = status.door_open is False and not row.blind
        unsure = (row.taken or row.lost) and not watched
        return replace(row, over=True), DoorAct.UNSURE if unsure else DoorAct.VOID
    return row, DoorAct.OPEN


def told(row: DoorRow, now: Stamp) -> DoorRow:
    """The door may open from now on; the first time counts."""
    return row if row.told else replace(row, told=True, since_ms=now.mono_ms)


def answered(row: DoorRow, *, opens: bool) -> DoorRow:
    """What its board made of that. opens: it says that it opens; False: its answer was lost."""
    return replace(row, taken=True) if opens else replace(row, lost=True)


def pin_locked(row: DoorRow, now: Stamp, policy: PortPolicy) -> bool:
    """Whether no PIN is taken now."""
    return row.tries >= policy.pin_tries and now.mono_ms - row.wrong_ms < policy.pin_pause_s * 1000


def pin_tried(row: DoorRow, now: Stamp, policy: PortPolicy, *, right: bool) -> DoorRow:
    """After a pause a single wrong one begins the next."""
    if right:
        return replace(row, tries=0)
    return replace(row, tries=min(row.tries + 1, policy.pin_tries), wrong_ms=now.mono_ms)


def encode_door(row: DoorRow) -> bytes:
    return msgspec.msgpack.encode(row)


def decode_door(data: bytes) -> DoorRow:
    return msgspec.msgpack.decode(data, type=DoorRow)


def _out(stay: OpenStay, row: DoorRow) -> bool:
    return stay.act in ("collect", "remove") and not row.over


def _is_anothers(stay: OpenStay, row: DoorRow, status: PortStatus, now: Stamp, policy: PortPolicy) -> bool:
    """Whether an owner asks, and the door stands open for somebody else. One that is not felt is shut after the time
    that everybody has.
    """
    if stay.act != "collect" or row.told or row.over:
        return False
    if status.door_open is None:
        return row.ajar_ms is not None and now.mono_ms - row.ajar_ms < policy.shut_s * 1000
    return status.door_open


def _shut(row: DoorRow, now: Stamp) -> DoorRow:
    """Nothing follows any more; who opens it from now on was not let in."""
    return replace(row, over=True, opened=False, taken=False, told=False, warned=False, since_ms=now.mono_ms)


def _is_shut(status: PortStatus, waited_ms: int, policy: PortPolicy) -> bool:
    """A board that does not feel its doors: after the time that a customer has."""
    return status.door_open is False or (status.door_open is None and waited_ms >= policy.shut_s * 1000)
