"""What the panel can be asked of ports and lockers: each verb a struct of arguments and a function on the daemon."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drivers.errors import DeviceError
from edge.daemon_state import Daemon
from edge.panel import verbs, verbs_fuel, views_port
from edge.panel.messages import Trouble
from edge.panel.verbs import Declined, NoArgs, Verb
from edge.ports.ports import PortHall, sources_of
from edge.till.ask import Refusal, Refused, Source
from edge.till.port.ask import PortAsk, StayAsk
from edge.till.port.progress import PortEnds
from protocols.trade.grants import hide_credential
from protocols.trade.records import Origin, Preset

Reason = Annotated[str, msgspec.Meta(min_length=3, max_length=64)]


class StartPort(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """place: as `rack.3`. Who pays: a card as the reader would say it, or an account (several as in `tender.payers`).
    amount: fen, Wh or seconds.
    """

    place: str
    card: str = ""
    account: str = ""
    preset: Literal["full", "money", "energy", "time"] = "full"
    amount: Annotated[int, msgspec.Meta(ge=0)] = 0


class StorePack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """place: empty: any locker that is free. charge: it also charges what is put in, as of a start until it is full."""

    place: str = ""
    card: str = ""
    account: str = ""
    pin: Annotated[str, msgspec.Meta(max_length=16)] = ""
    charge: bool = False


class CollectPack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card or a PIN. There is no way by the account's name alone: that is no proof of anybody."""

    place: str
    card: str = ""
    pin: Annotated[str, msgspec.Meta(max_length=16)] = ""


class OpenLocker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """remove: the pack is taken out for good. by_hand: it has been, and no door opens. because: for the log."""

    place: str
    because: Reason
    remove: bool = False
    by_hand: bool = False


async def ports(daemon: Daemon, args: NoArgs, by: str) -> object:
    hall = verbs.site_of(daemon).ports
    return [] if hall is None else views_port.ports(hall)


async def port_sessions(daemon: Daemon, args: NoArgs, by: str) -> object:
    hall = verbs.site_of(daemon).ports
    return [] if hall is None else [views_port.session(hall.ports, *found) for found in hall.ports.sessions()]


async def port_start(daemon: Daemon, args: StartPort, by: str) -> object:
    hall = hall_of(daemon)
    credential, sources = _payer(hall, args.card, args.account)
    origin = Origin("panel", credential, 0, by)
    outcome = await hall.start(PortAsk(args.place, Preset(args.preset, args.amount), origin, sources, credential))
    if isinstance(outcome, Refused):
        raise Declined(_refused(args.place, outcome))
    found = hall.ports.session(outcome.seq)
    if found is None:
        raise Declined(Trouble("no-such-session", f"session {outcome.seq} is over", "`fieldtill records` shows it."))
    return views_port.session(hall.ports, *found)


async def locker_store(daemon: Daemon, args: StorePack, by: str) -> object:
    hall = hall_of(daemon)
    if not (args.card or args.account or args.pin):
        raise Declined(Trouble("bad-request", "expected a card, an account or a PIN: somebody must open it again"))
    credential, sources = _payer(hall, args.card, args.account) if args.card or args.account else (b"", ())
    origin = Origin("panel", credential, 0, by)
    charge = Preset("full", 0) if args.charge and sources else None
    ask = StayAsk(args.place, origin, sources, credential, charge=charge)
    outcome = await hall.lockers.store(ask, pin=args.pin)
    if isinstance(outcome, Refused):
        raise Declined(_refused(args.place, outcome))
    return {"place": outcome.place, "stay": outcome.seq}


async def locker_collect(daemon: Daemon, args: CollectPack, by: str) -> object:
    hall = hall_of(daemon)
    if bool(args.card) == bool(args.pin):
        raise Declined(Trouble("bad-request", "expected a card or a PIN, one of them"))
    credential = hide_credential(hall.site.credential_key, args.card) if args.card else b""
    outcome = await hall.lockers.collect(args.place, Origin("panel", credential, 0, by), pin=args.pin)
    if isinstance(outcome, Refused):
        raise Declined(_refused(args.place, outcome))
    return {"place": outcome.place, "stay": outcome.seq}


async def locker_open(daemon: Daemon, args: OpenLocker, by: str) -> object:
    hall = hall_of(daemon)
    if args.by_hand and not args.remove:
        said = "--by-hand says that the pack is out, and without --remove it stays its owner's"
        raise Declined(Trouble("bad-request", said, "Say both if you have it in hand; neither only opens.", args.place))
    kept = hall.lockers.desk.stay_at(args.place) is not None
    if args.place not in hall.lockers and not kept:
        raise Declined(_refused(args.place, Refused(Refusal.UNKNOWN_PORT, f"no locker {args.place} at this site")))
    if not kept:
        try:
            await hall.lockers.open_free(args.place, by, args.because)
        except DeviceError as error:
            raise Declined(Trouble("device", str(error), error.remedy, args.place)) from error
        return {"place": args.place, "stay": None}
    outcome = await hall.lockers.open_by_staff(args.place, by, args.because, remove=args.remove, by_hand=args.by_hand)
    if isinstance(outcome, Refused):
        raise Declined(_refused(args.place, outcome))
    return {"place": outcome.place, "stay": outcome.seq}


async def stop(daemon: Daemon, args: verbs.StopSession, by: str) -> object:
    """A session at a port, by the port or its number; any other session as ever."""
    hall = verbs.site_of(daemon).ports
    if hall is None or not (args.connector in hall or args.session in hall.ports):
        return await verbs_fuel.stop(daemon, args, by)
    found = hall.ports.session_at(args.connector) if args.session is None else hall.ports.session(args.session)
    if found is None or not await hall.stop(found[0].seq, PortEnds.LOCAL, f"by {by} at the panel"):
        what = f"{args.connector or args.session} has no session that could be stopped"
        raise Declined(Trouble("no-such-session", what, "`fieldtill sessions` lists those that are open."))
    return {"session": found[0].seq, "stopping": True}


async def settle(daemon: Daemon, args: verbs.SettleSession, by: str) -> object:
    """A session at a port that is held for review, by what was known last; any other as ever."""
    hall = verbs.site_of(daemon).ports
    if hall is None or args.session not in hall.ports:
        return await verbs_fuel.settle(daemon, args, by)
    why_not = await hall.settle_held(args.session, by, args.because)
    if why_not is not None:
        remedy = "`fieldtill ports` shows it; one that runs is stopped first."
        raise Declined(Trouble("not-settled", f"session {args.session} is not settled: {why_not}", remedy))
    return {"session": args.session, "settled": True}


VERBS: dict[str, tuple[type[msgspec.Struct], Verb]] = {
    "ports": (NoArgs, ports),
    "port-sessions": (NoArgs, port_sessions),
    "port-start": (StartPort, port_start),
    "locker-store": (StorePack, locker_store),
    "locker-collect": (CollectPack, locker_collect),
    "locker-open": (OpenLocker, locker_open),
    "stop": (verbs.StopSession, stop),
    "settle": (verbs.SettleSession, settle),
}


def hall_of(daemon: Daemon) -> PortHall:
    """Raises Declined where the till is not open or has no ports."""
    hall = verbs.site_of(daemon).ports
    if hall is None:
        raise Declined(Trouble("no-ports", "this site has no charging ports", "Put [[port_board]] into the config."))
    return hall


def _payer(hall: PortHall, card: str, account: str) -> tuple[bytes, tuple[Source, ...]]:
    if bool(card) == bool(account):
        raise Declined(Trouble("bad-request", "expected a card or an account, one of them"))
    credential = hide_credential(hall.site.credential_key, card) if card else b""
    try:
        return credential, (Source("", credential),) if credential else sources_of(account)
    except ValueError as error:
        raise Declined(Trouble("bad-request", str(error))) from error


def _refused(place: str, refused: Refused) -> Trouble:
    remedy = _REMEDIES.get(refused.refusal) or verbs.REMEDIES.get(refused.refusal, "")
    return verbs.refusal(refused, remedy, place)


_REMEDIES = {
    Refusal.UNKNOWN_PORT: "`fieldtill ports` has them, as BOARD.PORT.",
    Refusal.NO_PRICES: "Headquarters publishes them (`fieldtill-hq port-price set`); [ports] says which are whose.",
    Refusal.PORT_SILENT: "`fieldtill devices` shows whether its board is there.",
    Refusal.PORT_FAULTED: "Look at the port: its board has found a fault there.",
    Refusal.PORT_BUSY: "`fieldtill ports` shows what it does; `fieldtill stop PORT` ends a session.",
    Refusal.NOT_PLUGGED: "Plug in first.",
    Refusal.LOCKER_EMPTY: "`fieldtill ports` shows which lockers are in use.",
    Refusal.LOCKER_FULL: "Take another one; `fieldtill locker open` is for staff.",
    Refusal.PORTS_CLOSED: "`hours` of [ports] says when; packs are given back at any hour.",
    Refusal.TOO_MANY_LOCKERS: "`lockers_each` and `lockers_unknown` of [ports] say how many; staff may give more.",
    Refusal.NOT_OWNER: "It opens by the card or the PIN that it was shut with.",
    Refusal.WRONG_PIN: "After some wrong ones none is taken for a while.",
    Refusal.PIN_LOCKED: "Wait, or use the card; staff can open it with a reason.",
}
