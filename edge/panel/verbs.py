"""What the panel can be asked: each verb a struct of arguments and a function on the running daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec

from edge.daemon_state import Daemon
from edge.panel import views, views_sells
from edge.panel.messages import Trouble
from edge.panel.record_view import plain, select
from edge.site import Site
from edge.till.progress import StopReason
from edge.till.start import Ask, Refusal, Refused, Source, ask_of
from protocols.trade.carried import TEXT_MAX, BadCode
from protocols.trade.grants import hide_credential
from protocols.trade.records import CNY, Origin, Preset

RECORDS_MAX = 1_000
SYNC_S, SYNC_LOOK_S = 10.0, 0.1
"""How long `sync` waits for an answer from headquarters, or for the failure to get one."""


class Declined(Exception):
    """The verb cannot be done; `trouble` says why and what next."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.what)
        self.trouble = trouble


class NoArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing needs to be said."""


class OneDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    device: str


class StartSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either a card as the reader would say it, or who pays, as in `tender.payers`. amount: fen, Wh or seconds."""

    connector: str
    card: str = ""
    account: str = ""
    preset: Annotated[str, msgspec.Meta(pattern="^(full|money|energy|time)$")] = "full"
    amount: Annotated[int, msgspec.Meta(ge=0)] = 0


class ExtendSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either a card or an account. amount_fen: None: what the account has here, up to the cap of a fill-up."""

    session: int
    card: str = ""
    account: str = ""
    asset: str = CNY
    amount_fen: Annotated[int, msgspec.Meta(ge=1)] | None = None


class StopSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By connector or by session number."""

    connector: str = ""
    session: int | None = None


class SettleSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """because: the technician's reason, for the log."""

    session: int
    because: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class TakeCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code as the customer's phone shows it."""

    code: Annotated[str, msgspec.Meta(max_length=TEXT_MAX + 16)]


class SessionLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A session of the log in use, by its number."""

    session: Annotated[int, msgspec.Meta(ge=0)]


class SomeRecords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """first: negative counts from the end."""

    first: int = -20
    limit: Annotated[int, msgspec.Meta(ge=1, le=RECORDS_MAX)] = 20
    kind: str = ""


Verb = Callable[[Daemon, Any, str], Awaitable[object]]


async def status(daemon: Daemon, args: NoArgs, by: str) -> object:
    return views.status(daemon)


async def devices(daemon: Daemon, args: NoArgs, by: str) -> object:
    carriers = _carriers(daemon)
    return {
        "lines": [views.line(line) for line in daemon.premises.carriers()],
        "devices": [views.device(device, carriers.get(device.id, "")) for device in daemon.premises.everything()],
    }


async def read(daemon: Daemon, args: OneDevice, by: str) -> object:
    devices = {device.id: device for device in daemon.premises.everything()}
    device = devices.get(args.device)
    if device is None:
        raise Declined(unknown("device", args.device, devices))
    return {"device": views.device(device, _carriers(daemon).get(device.id, "")), "points": views.points(device)}


async def sessions(daemon: Daemon, args: NoArgs, by: str) -> object:
    site = site_of(daemon)
    return [views.session(site, session, progress) for session, progress in site.desk.sessions()]


async def start(daemon: Daemon, args: StartSession, by: str) -> object:
    site = site_of(daemon)
    credential = hide_credential(site.credential_key, args.card) if args.card else b""
    origin = Origin("panel", credential, 0, by)
    preset = Preset(args.preset, args.amount)
    if credential:
        ask = Ask(args.connector, credential, "", preset, origin)
    else:
        try:
            ask = ask_of(args.connector, args.account, preset, origin)
        except ValueError as error:
            raise Declined(Trouble("bad-request", str(error))) from error
    outcome = await site.start(ask)
    if isinstance(outcome, Refused):
        raise Declined(_refused(daemon, args.connector, outcome))
    return views.session(site, *_found(site, outcome.opened.connector))


async def extend(daemon: Daemon, args: ExtendSession, by: str) -> object:
    site = site_of(daemon)
    credential = hide_credential(site.credential_key, args.card) if args.card else b""
    source = Source(args.account, credential, args.asset)
    outcome = await site.extend(args.session, source, args.amount_fen)
    if isinstance(outcome, Refused):
        raise Declined(_refused(daemon, "", outcome))
    await site.note(by, "extend", f"session {args.session}, {args.account or 'a card'}")
    return views.session(site, *_found(site, outcome.opened.connector))


async def stop(daemon: Daemon, args: StopSession, by: str) -> object:
    site = site_of(daemon)
    seq = args.session if args.session is not None else _found(site, args.connector)[0].seq
    if not await site.stop(seq, StopReason.LOCAL, f"by {by} at the panel"):
        raise Declined(Trouble("no-such-session", f"session {seq} is not open", "`fieldtill sessions` lists them."))
    return {"session": seq, "stopping": True}


async def settle(daemon: Daemon, args: SettleSession, by: str) -> object:
    why_not = await site_of(daemon).settle_held(args.session, by, args.because)
    if why_not is not None:
        remedy = "`fieldtill sessions` lists the sessions; one that delivers is stopped first."
        raise Declined(Trouble("not-settled", f"session {args.session} is not settled: {why_not}", remedy))
    return {"session": args.session, "settled": True}


async def take(daemon: Daemon, args: TakeCode, by: str) -> object:
    site = site_of(daemon)
    if daemon.codes is None:
        raise Declined(Trouble("no-keys", "this box trusts no headquarters' keys", "Put [hq] into the config."))
    taken = await daemon.codes.take(args.code)
    if isinstance(taken, BadCode):
        raise Declined(Trouble(taken.fault.value, str(taken), taken.remedy))
    why = None if taken.refused is None else _refused(daemon, taken.connector, taken.refused)
    return views.taken(site, taken, why)


async def link(daemon: Daemon, args: SessionLink, by: str) -> object:
    site_of(daemon)
    if daemon.receipt_url is None:
        raise Declined(Trouble("no-page", "this box serves no page", "Put [page] into the config."))
    return {"session": args.session, "url": daemon.receipt_url(args.session)}


async def records(daemon: Daemon, args: SomeRecords, by: str) -> object:
    journal = site_of(daemon).desk.journal
    return select(journal.read, args.first, journal.size, args.limit, args.kind)


async def day_show(daemon: Daemon, args: NoArgs, by: str) -> object:
    return views_sells.day(site_of(daemon).desk.state)


async def day_close(daemon: Daemon, args: NoArgs, by: str) -> object:
    return plain(await site_of(daemon).close_day(by))


async def sync(daemon: Daemon, args: NoArgs, by: str) -> object:
    if daemon.uplink is None:
        raise Declined(Trouble("no-uplink", "there is no uplink", "Put [hq] into the config, and enrol the box."))
    before = daemon.uplink.status()
    daemon.uplink.news()
    for _ in range(int(SYNC_S / SYNC_LOOK_S)):
        now = daemon.uplink.status()
        if now.contact_ms != before.contact_ms or now.trouble != before.trouble:
            break
        await asyncio.sleep(SYNC_LOOK_S)
    return views.headquarters(daemon.uplink.status(), daemon.clock.mono_ms())


VERBS: dict[str, tuple[type[msgspec.Struct], Verb]] = {
    "status": (NoArgs, status),
    "devices": (NoArgs, devices),
    "read": (OneDevice, read),
    "sessions": (NoArgs, sessions),
    "start": (StartSession, start),
    "extend": (ExtendSession, extend),
    "stop": (StopSession, stop),
    "settle": (SettleSession, settle),
    "take": (TakeCode, take),
    "link": (SessionLink, link),
    "records": (SomeRecords, records),
    "day": (NoArgs, day_show),
    "day-close": (NoArgs, day_close),
    "sync": (NoArgs, sync),
}


def _carriers(daemon: Daemon) -> dict[str, str]:
    """Which line, controller or listener each device, pump and board hangs on, by ids."""
    pumps = {pump.id: pump.line or pump.controller or "" for pump in daemon.config.pump}
    boards = {board.id: board.line for board in daemon.config.board}
    boards |= {board.id: board.line or board.listener or "" for board in daemon.config.port_board}
    boards |= {pile.id: platform.id for platform in daemon.config.ykc for pile in platform.pile}
    return {**{device.id: device.line for device in daemon.config.device}, **pumps, **boards}


def site_of(daemon: Daemon) -> Site:
    """Raises Declined while the till is not open."""
    if daemon.site is None:
        raise Declined(
            Trouble(
                "not-open", f"the till is not open: it waits for {daemon.waiting_for}", "`fieldtill setup` shows how."
            )
        )
    return daemon.site


def _found(site: Site, connector: str) -> Any:
    found = site.desk.session_at(connector)
    if found is None:
        raise Declined(Trouble("no-such-session", f"{connector} has no session", "`fieldtill sessions` lists them."))
    return found


def _refused(daemon: Daemon, connector: str, refused: Refused) -> Trouble:
    """A refusal with the device that is behind it, when it was last heard, and what to do."""
    code, outlet = refused.refusal, daemon.premises.outlets.get(connector)
    where, last_good_s = connector, None
    if outlet is not None and code in _AT_DEVICE:
        device = outlet.meter if code is Refusal.METER_SILENT else outlet.charger
        line = next(one.line for one in daemon.config.device if one.id == device.id)
        where, last_good_s = f"{line}:{device.id}", views.last_good_s(device)
    return refusal(refused, REMEDIES.get(code, ""), where, last_good_s)


def refusal(refused: Refused, remedy: str, where: str, last_good_s: float | None = None) -> Trouble:
    """With the first of what headquarters would have to grant."""
    code, detail = refused.refusal.value, refused.detail
    if not refused.wants:
        return Trouble(code, detail, remedy, where, last_good_s)
    want = refused.wants[0]
    return Trouble(code, detail, remedy, where, last_good_s, want.total, want.source.asset)


_AT_DEVICE = {Refusal.CHARGER_SILENT, Refusal.CHARGER_FAULTED, Refusal.METER_SILENT, Refusal.NO_CAR}
REMEDIES = {
    Refusal.EPOCH_CLOSING: "`fieldtill epoch show` tells how far it is; a new epoch follows by itself.",
    Refusal.LOG_DISPUTED: "Keep the disk as it is and call headquarters; then `fieldtill epoch abandon`.",
    Refusal.ROLLED_BACK: "Let the box reach headquarters (`fieldtill sync`); was an old disk or image put in?",
    Refusal.COUNTER_SILENT: "Look at the medium that [counter] names; with a link the site sells without it.",
    Refusal.NO_SESSION: "`fieldtill sessions` lists those that charge.",
    Refusal.DISK_FULL: "Free space on the journal's file system; the ballast comes back by itself.",
    Refusal.UNKNOWN_CONNECTOR: "`fieldtill status` lists the connectors.",
    Refusal.CONNECTOR_BUSY: "`fieldtill sessions` shows the session; `fieldtill stop CONNECTOR` ends it.",
    Refusal.NO_TARIFF: "Headquarters publishes one (`fieldtill-hq tariff`); `fieldtill sync` shows the link.",
    Refusal.CHARGER_SILENT: "`fieldtill read DEVICE` shows its last values; `fieldtill scan LINE` who answers.",
    Refusal.CHARGER_FAULTED: "Read the charger's own display; a fault goes away there, or with its supply.",
    Refusal.METER_SILENT: "`fieldtill read DEVICE` shows its last values; `fieldtill scan LINE` who answers.",
    Refusal.NO_CAR: "Plug the car in, and start again.",
    Refusal.START_EXPIRED: "Get a new code for this start; the value that this one carried counts all the same.",
    Refusal.UNKNOWN_PRESET: "Use full, money, energy or time, or a newer version of this software.",
    Refusal.OLD_NUMBER: "Every start has a number of its own; a code starts once. Get a new one.",
    Refusal.HOT_LISTED: "The card is reported lost or stolen; headquarters takes it off the list.",
    Refusal.UNKNOWN_ACCOUNT: "Headquarters places value here (`fieldtill-hq account`), or the card is tapped online.",
    Refusal.ACCOUNT_FROZEN: "Headquarters thaws it (`fieldtill-hq account thaw`), when its owner has been heard.",
    Refusal.GRANT_EXPIRED: "`fieldtill sync` fetches what is new, once headquarters can be reached.",
    Refusal.NOT_ENOUGH: "Top the account up at headquarters, or choose a smaller preset.",
}


def unknown(what: str, name: str, known: Any) -> Trouble:
    """known: what there is instead."""
    return Trouble(
        f"unknown-{what}", f"no {what} {name}", f"It is one of {', '.join(sorted(known)) or '(none)'}.", where=name
    )
