"""What does a record of the log say? As plain values for programs, and in a few words for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from edge.journal.errors import JournalPruned
from edge.panel import fuel_gists, port_gists, swap_gists
from protocols.trade import records as kinds
from protocols.trade.codec import BYTES_MAX, NotCanonical, decode
from protocols.trade.grants import split
from protocols.trade.quantities import kwh, litres, yuan
from protocols.trade.records import CNY, Effect, Preset, Record, body_of
from protocols.trade.value_words import amount_text, holds_text

CHUNK = 500
"""Records that are read at a time."""


def record_view(seq: int, record: Record) -> dict[str, Any]:
    """A record as plain values; bytes as hex, the grant in it taken apart. An unknown kind shows its envelope alone."""
    body = body_of(record)
    return {
        "seq": seq,
        "kind": record.kind,
        "wall_ms": record.stamp.wall_ms,
        "quality": record.stamp.quality.name.lower(),
        "gist": gist(body) + _taken(record.moves),
        "moves": [plain(move) for move in record.moves],
        "body": plain(body) if not isinstance(body, kinds.GrantAccepted) else _grant(body),
    }


def select(
    read: Callable[[int, int, int], list[bytes]], first: int, size: int, limit: int, kind: str
) -> list[dict[str, Any]]:
    """Records of one kind ("": of any) from `first` on, at most `limit`. first: negative counts from the end of those.

    read: (first seq, how many, bytes together) -> encoded records.
    """
    backwards, found = first < 0, list[dict[str, Any]]()
    if backwards and kind:
        return _select_last(read, size, -first, limit, kind)
    seq = max(0, size + first) if backwards else first
    while seq < size and len(found) < limit:
        seq, batch = _next(read, seq, CHUNK)
        for data in batch:
            record = decode(data, Record)
            if kind in ("", record.kind) and len(found) < limit:
                found.append(record_view(seq, record))
            seq += 1
    return found


def _select_last(
    read: Callable[[int, int, int], list[bytes]], size: int, count: int, limit: int, kind: str
) -> list[dict[str, Any]]:
    """The last `count` of a kind, oldest first."""
    found: list[dict[str, Any]] = []
    end = size
    while end > 0 and len(found) < count:
        first = seq = max(0, end - CHUNK)
        chunk: list[dict[str, Any]] = []
        while seq < end:
            seq, batch = _next(read, seq, end - seq)
            for data in batch:
                record = decode(data, Record)
                if record.kind == kind and seq < end:
                    chunk.append(record_view(seq, record))
                seq += 1
        found, end = chunk + found, first
    return found[-count:][:limit]


def _next(read: Callable[[int, int, int], list[bytes]], seq: int, count: int) -> tuple[int, list[bytes]]:
    """The records from `seq` on and the seq of the first of them: what has been pruned is passed over."""
    try:
        return seq, read(seq, count, BYTES_MAX)
    except JournalPruned as pruned:
        return pruned.next_seq, []


def gist(body: object) -> str:
    """A body in a few words."""
    say = _GISTS.get(type(body))
    return say(body) if say is not None else ""


def _taken(moves: Sequence[kinds.Move]) -> str:
    """What a bill in money does not say: units of a plan, points, deposits that were taken."""
    taken = [one for one in moves if one.effect == Effect.USED and one.asset != CNY]
    return "".join(f", {amount_text(one.amount, one.asset)} of {one.account}" for one in taken)


def preset_text(preset: Preset) -> str:
    """A preset for people."""
    match preset.kind:
        case "money":
            return f"¥{yuan(preset.amount)}"
        case "energy":
            return f"{kwh(preset.amount)} kWh"
        case "volume":
            return f"{litres(preset.amount)} L"
        case "time":
            return f"{preset.amount // 60} min" + (f" {preset.amount % 60} s" if preset.amount % 60 else "")
    return "full"


def plain(value: Any) -> Any:
    """Structs as tables, bytes as hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def _grant(body: kinds.GrantAccepted) -> Any:
    try:
        grant, _, signature = split(body.grant)
    except NotCanonical:
        return plain(body)
    return {"grant": plain(grant), "signature": signature.hex()}


def _granted(body: kinds.GrantAccepted) -> str:
    try:
        grant, _, _ = split(body.grant)
    except NotCanonical:
        return "a grant that this software cannot read"
    return f"{grant.account} has been granted {amount_text(grant.granted, grant.asset)} in total"


def _opened(body: kinds.SessionOpened) -> str:
    return f"{body.connector}, {preset_text(body.preset)}, by {body.origin.via}: {_holds(body.holds)}"


def _holds(holds: Sequence[kinds.Hold]) -> str:
    """Who pays, in order."""
    return holds_text(holds) or "nobody holds anything"


def _closed(body: kinds.SessionClosed) -> str:
    over = f", ¥{yuan(body.overrun_fen)} beyond the hold" if body.overrun_fen else ""
    return f"session {body.session}: {kwh(body.energy_wh)} kWh, ¥{yuan(body.amount_fen)}, {body.reason}{over}"


def _day(body: kinds.DayClosed) -> str:
    sessions = f"{body.sessions} session{'s' * (body.sessions != 1)}"
    return f"day {body.day}: {sessions}, {kwh(body.energy_wh)} kWh, ¥{yuan(body.amount_fen)}"


def _totalizers(body: kinds.TotalizersRead) -> str:
    return ", ".join(f"{one.meter} {kwh(one.energy_wh)} kWh" for one in body.registers) or "no meter answered"


_GISTS: dict[type, Callable[[Any], str]] = {
    **fuel_gists.GISTS,
    **port_gists.GISTS,
    **swap_gists.GISTS,
    kinds.EpochOpened: lambda body: f"{body.site}, epoch {body.epoch}, {body.software}",
    kinds.GrantAccepted: _granted,
    kinds.SessionOpened: _opened,
    kinds.SessionExtended: lambda body: f"session {body.session}: {_holds(body.holds)} more",
    kinds.SessionClosed: _closed,
    kinds.SessionVoided: lambda body: f"session {body.session}: nothing billed, {body.reason}",
    kinds.SessionHeld: lambda body: f"session {body.session}: {body.finding}, {body.detail}",
    kinds.ValueReturned: lambda body: f"{body.account} gets back what has no use here",
    kinds.TotalizersRead: _totalizers,
    kinds.DayClosed: _day,
    kinds.ConfigApplied: lambda body: ", ".join(f"{pin.kind} {pin.version}" for pin in body.pins),
    kinds.EpochClosed: lambda body: f"the last record: {body.reason}",
    kinds.CounterTicked: lambda body: f"the rollback counter goes to {body.value}",
    kinds.ClockMoved: lambda body: f"by {(body.new_ms - body.old_ms) / 1000:+.1f} s",
    kinds.TechnicianAct: lambda body: f"{body.by}: {body.verb} {body.detail}".rstrip(),
    kinds.Notice: lambda body: f"{body.what} at {body.subject}: {body.detail}",
}
