"""What the panel can be asked about the epoch: how it stands, and that it be closed."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec

from edge import epochs
from edge.daemon_state import Daemon
from edge.desk import Desk
from edge.epochs import Closing
from edge.panel.messages import Trouble
from edge.panel.verbs import Declined, NoArgs, Verb, site_of

CLOSE_S, CLOSE_LOOK_S = 10.0, 0.1
"""How long `epoch-close` waits for the last record, which the next look writes."""


class CloseEpoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """when_idle: wait for running sessions. offline_ok: sell nothing until headquarters is heard. cancel: do not."""

    why: Annotated[str, msgspec.Meta(max_length=200)] = ""
    when_idle: bool = False
    offline_ok: bool = False
    cancel: bool = False


class KeptView(msgspec.Struct, frozen=True):
    """A log moved aside. why: of one that was abandoned, else empty."""

    path: str
    epoch: int
    records: int
    cosigned: int
    why: str


class EpochView(msgspec.Struct, frozen=True):
    """closing: why somebody wants it closed; None: nobody does. rights_fen: what lies here. counter: what is wrong with
    the rollback counter; None: nothing, or there is none."""

    site: str
    epoch: int
    records: int
    cosigned: int
    closing: str | None
    closed: bool
    sessions: int
    rights_fen: int
    counter: str | None
    kept: list[KeptView]


async def epoch_show(daemon: Daemon, args: NoArgs, by: str) -> object:
    return view(daemon)


async def epoch_close(daemon: Daemon, args: CloseEpoch, by: str) -> object:
    site = site_of(daemon)
    desk = site.desk
    if args.cancel:
        await desk.ask_to_close(None)
        await site.note(by, "epoch-stay", args.why)
        return view(daemon)
    refused = _not_now(daemon, args)
    if refused is not None:
        raise Declined(refused)
    await desk.ask_to_close(Closing(by, args.why))
    for _ in range(int(CLOSE_S / CLOSE_LOOK_S)):
        if desk.state.closed or _running(desk):
            break
        await asyncio.sleep(CLOSE_LOOK_S)
    return view(daemon)


def view(daemon: Daemon) -> EpochView:
    desk = site_of(daemon).desk
    state, cosigned = desk.state, desk.journal.cosigned()
    return EpochView(
        site=state.site,
        epoch=state.epoch,
        records=desk.journal.size,
        cosigned=cosigned[0] if cosigned else 0,
        closing=None if desk.closing is None else desk.closing.why,
        closed=state.closed,
        sessions=_running(desk),
        rights_fen=sum(lease.rights for lease in state.leases.values() if lease.asset == "CNY"),
        counter=desk.guard.waiting or desk.guard.silent,
        kept=[
            KeptView(str(one.path), one.epoch, one.records, one.cosigned, one.why)
            for one in epochs.kept(daemon.config.journal_path)
        ],
    )


def _running(desk: Desk) -> int:
    """How many sessions are open, fillings, swaps, ports and lockers among them."""
    state = desk.state
    own = len(state.sessions) + len(state.forecourt.fillings) + len(state.shop.swaps)
    return own + len(state.ports.sessions) + len(state.ports.stays)


def _not_now(daemon: Daemon, args: CloseEpoch) -> Trouble | None:
    """Why the epoch cannot be closed now; None: it can."""
    desk = site_of(daemon).desk
    if not args.why:
        return Trouble("bad-request", "expected a reason", "Say why: --why 'the disk is exchanged'.")
    if desk.disputed is not None:
        return Trouble("log-disputed", f"headquarters does not go on from this log: {desk.disputed}",
                       "CLOSE would free nothing. `fieldtill epoch abandon` moves it aside.")  # fmt: skip
    if _running(desk) and not args.when_idle:
        return Trouble("sessions-open", f"{_running(desk)} sessions are open",
                       "Stop them (`fieldtill sessions`), or close the epoch --when-idle.")  # fmt: skip
    if not site_of(daemon).is_online() and not args.offline_ok:
        return Trouble("no-headquarters", "headquarters is not reached, and only it can begin an epoch",
                       "`fieldtill sync`; or --offline-ok: nothing is sold until the link is back.")  # fmt: skip
    return None


VERBS: dict[str, tuple[type[msgspec.Struct], Verb]] = {
    "epoch": (NoArgs, epoch_show),
    "epoch-close": (CloseEpoch, epoch_close),
}
