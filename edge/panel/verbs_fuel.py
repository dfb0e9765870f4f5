"""What the panel can be asked of pumps: each verb a struct of arguments and a function on the running daemon."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from edge.daemon_state import Daemon
from edge.forecourt.islands import Islands, sources_of
from edge.panel import verbs, views, views_fuel
from edge.panel.messages import Trouble
from edge.panel.messages_fuel import TotalView
from edge.panel.verbs import Declined, NoArgs, Verb
from edge.till.ask import Refusal, Refused, Source
from edge.till.fill.ask import FillAsk
from edge.till.fill.progress import FillEnd
from protocols.trade.grants import hide_credential
from protocols.trade.records import CNY, Origin, Preset


class Fill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """pump: its id or number. Who pays: a card as the reader would say it, an account (several as in `tender.payers`),
    or a guarantor, who stands in for whoever pays afterwards. amount: fen or mL. nozzle: the only one; None: any.
    asked: odometer or masked plate.
    """

    pump: str
    card: str = ""
    account: str = ""
    guarantee: str = ""
    preset: Literal["full", "money", "volume"] = "full"
    amount: Annotated[int, msgspec.Meta(ge=0)] = 0
    nozzle: Annotated[int, msgspec.Meta(ge=1, le=15)] | None = None
    asked: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Pay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """session: a filling on somebody's guarantee. Either a card or an account."""

    session: int
    card: str = ""
    account: str = ""
    asset: str = CNY


class OnePump(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """pump: its id or number."""

    pump: str


class TellPump(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """pump: its id or number."""

    pump: str
    act: Literal["stop", "suspend", "resume"]


async def fill(daemon: Daemon, args: Fill, by: str) -> object:
    islands = islands_of(daemon)
    if [bool(args.card), bool(args.account), bool(args.guarantee)].count(True) != 1:
        raise Declined(Trouble("bad-request", "expected a card, an account or a guarantee, one of them"))
    credential = hide_credential(islands.site.credential_key, args.card) if args.card else b""
    try:
        sources = (Source("", credential),) if credential else sources_of(args.guarantee or args.account)
    except ValueError as error:
        raise Declined(Trouble("bad-request", str(error))) from error
    ask = FillAsk(
        pump=islands.id_of(args.pump),
        preset=Preset(args.preset, args.amount),
        origin=Origin("panel", credential, 0, by),
        sources=sources,
        credential=credential,
        asked=args.asked,
        nozzle=args.nozzle,
        guaranteed=bool(args.guarantee),
    )
    outcome = await islands.start(ask)
    if isinstance(outcome, Refused):
        raise Declined(_refused(daemon, ask.pump, outcome))
    return _filling(islands, outcome.seq)


async def pay(daemon: Daemon, args: Pay, by: str) -> object:
    islands = islands_of(daemon)
    credential = hide_credential(islands.site.credential_key, args.card) if args.card else b""
    outcome = await islands.pay(args.session, Source(args.account, credential, args.asset))
    if isinstance(outcome, Refused):
        raise Declined(_refused(daemon, "", outcome))
    await islands.site.note(by, "pay", f"session {args.session}, {args.account or 'a card'}")
    return {"session": args.session, "paid": True}


async def fillings(daemon: Daemon, args: NoArgs, by: str) -> object:
    site = verbs.site_of(daemon)
    if site.islands is None:
        return []
    fills = site.islands.fills
    return [views_fuel.filling(fills, filling, progress) for filling, progress in fills.fillings()]


async def pumps(daemon: Daemon, args: NoArgs, by: str) -> object:
    return views_fuel.pumps(daemon)


async def pump_show(daemon: Daemon, args: OnePump, by: str) -> object:
    """With its totals and prices read now, where it rests and answers."""
    islands = islands_of(daemon)
    name = _known(islands, args.pump)
    loop = islands.loops[name]
    if islands.fills.filling_at(name) is None:
        async with loop.lock:
            await loop.look_closely()
    config = next(one for one in daemon.config.pump if one.id == name)
    return {
        "pump": views_fuel.pump(daemon, islands, config),
        "points": views.points(loop.pump),
    }


async def pump_totals(daemon: Daemon, args: NoArgs, by: str) -> object:
    """Read now, of every pump that answers; what moved without a sale goes into the log."""
    return [
        TotalView(one.pump, at.nozzle, at.volume_ml, at.amount_fen, one.wall_ms)
        for one in await islands_of(daemon).read_totals()
        for at in one.nozzles
    ]


async def settle(daemon: Daemon, args: verbs.SettleSession, by: str) -> object:
    """A filling that is held for review, as it was seen last; any other session as ever."""
    islands = verbs.site_of(daemon).islands
    if islands is None or args.session not in islands.fills:
        return await verbs.settle(daemon, args, by)
    why_not = await islands.settle_held(args.session, by, args.because)
    if why_not is not None:
        remedy = "`fieldtill sessions` lists the fillings; one that delivers is stopped first."
        raise Declined(Trouble("not-settled", f"filling {args.session} is not settled: {why_not}", remedy))
    return {"session": args.session, "settled": True}


async def pump_tell(daemon: Daemon, args: TellPump, by: str) -> object:
    islands = islands_of(daemon)
    name = _known(islands, args.pump)
    await islands.tell(name, args.act, by)
    return {"pump": name, "told": args.act}


async def stop(daemon: Daemon, args: verbs.StopSession, by: str) -> object:
    """A filling, by its pump or its number; any other session as ever."""
    islands = verbs.site_of(daemon).islands
    if islands is None or not (args.connector in islands or args.session in islands.fills):
        return await verbs.stop(daemon, args, by)
    fills = islands.fills
    found = fills.filling_at(islands.id_of(args.connector)) if args.session is None else fills.filling(args.session)
    if found is None or not await islands.stop(found[0].seq, FillEnd.LOCAL, f"by {by} at the panel"):
        what = f"{args.connector or args.session} has no filling that could be stopped"
        raise Declined(Trouble("no-such-session", what, "`fieldtill sessions` lists those that are open."))
    return {"session": found[0].seq, "stopping": True}


VERBS: dict[str, tuple[type[msgspec.Struct], Verb]] = {
    "fill": (Fill, fill),
    "pay": (Pay, pay),
    "stop": (verbs.StopSession, stop),
    "fillings": (NoArgs, fillings),
    "pumps": (NoArgs, pumps),
    "pump-show": (OnePump, pump_show),
    "pump-tell": (TellPump, pump_tell),
    "pump-totals": (NoArgs, pump_totals),
    "settle": (verbs.SettleSession, settle),
}


def islands_of(daemon: Daemon) -> Islands:
    """Raises Declined where the till is not open or has no pumps."""
    islands = verbs.site_of(daemon).islands
    if islands is None:
        raise Declined(Trouble("no-pumps", "this site has no pumps", "Put [[pump]] into the config."))
    return islands


def _known(islands: Islands, name: str) -> str:
    if name not in islands:
        known = ", ".join(sorted(islands.loops))
        raise Declined(Trouble("unknown-pump", f"no pump {name}", f"It is one of {known}.", where=name))
    return islands.id_of(name)


def _filling(islands: Islands, seq: int) -> object:
    found = islands.fills.filling(seq)
    if found is None:
        raise Declined(Trouble("no-such-session", f"filling {seq} is over", f"`fieldtill records` shows {seq}."))
    return views_fuel.filling(islands.fills, *found)


def _refused(daemon: Daemon, pump: str, refused: Refused) -> Trouble:
    """A refusal with the pump that is behind it, when it was last heard, and what to do."""
    code, device = refused.refusal, daemon.premises.pumps.get(pump)
    where, last_good_s = pump, None
    if device is not None and code in _AT_PUMP:
        config = next(one for one in daemon.config.pump if one.id == pump)
        where, last_good_s = f"{config.line or config.controller}:{pump}", views.last_good_s(device)
    remedy = _REMEDIES.get(code) or verbs.REMEDIES.get(code, "")
    return verbs.refusal(refused, remedy, where, last_good_s)


_AT_PUMP = {Refusal.PUMP_SILENT, Refusal.PUMP_OUT, Refusal.PRICE_DIFFERS}
_REMEDIES = {
    Refusal.UNKNOWN_PUMP: "`fieldtill pump list` has them, by id and number.",
    Refusal.UNKNOWN_PRESET: "Use full, money or volume, or a newer version of this software.",
    Refusal.NO_SESSION: "`fieldtill sessions` lists the fillings; only one on a guarantee waits for a payer.",
    Refusal.NO_PRICES: "Headquarters publishes a price list (`fieldtill-hq`); `fieldtill sync` shows the link.",
    Refusal.PUMP_SILENT: "`fieldtill pump show PUMP` shows its last words; `fieldtill scan LINE` who answers.",
    Refusal.PUMP_OUT: "Look at the pump's own display: an emergency stop, local mode or a fault goes away there.",
    Refusal.PUMP_BUSY: "`fieldtill sessions` shows the filling; `fieldtill stop PUMP` ends it.",
    Refusal.PRICE_DIFFERS: "`fieldtill pump prices` shows both; the box sets them again while the pump is idle.",
    Refusal.WRONG_GRADE: "Take another nozzle, or have headquarters change the terms of this card or account.",
    Refusal.DAY_LIMIT: "The limit counts anew tomorrow; headquarters can raise it.",
    Refusal.ANSWER_MISSING: "Ask the driver, and give it with --odometer or --plate.",
    Refusal.NOZZLE_NOT_LIFTED: "Lift the nozzle first, then tap.",
}
