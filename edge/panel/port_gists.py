"""What does a record of ports and lockers say in a few words?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocols.trade import records_port as port
from protocols.trade.quantities import kwh, yuan
from protocols.trade.value_words import holds_text


def _opened(body: port.PortOpened) -> str:
    order = f"{kwh(body.order_limit)} kWh" if body.order_kind == "energy" else f"{body.time_max_s // 60} min"
    return f"{body.board}.{body.port}, {order} at most, by {body.origin.via}: {holds_text(body.holds)}"


def _closed(body: port.PortClosed) -> str:
    energy = "" if body.energy_wh is None else f"{kwh(body.energy_wh)} kWh, "
    time = "" if body.elapsed_s is None else f"{body.elapsed_s // 60} min, "
    over = f", ¥{yuan(body.overrun_fen)} beyond the hold" if body.overrun_fen else ""
    last = "" if body.settled else ", by what was known last"
    return f"session {body.session}: {energy}{time}¥{yuan(body.amount_fen)}, {body.reason}{over}{last}"


def _unattributed(body: port.PortUnattributed) -> str:
    energy = "no energy told" if body.energy_wh is None else f"{kwh(body.energy_wh)} kWh"
    session = "" if body.session is None else f", session {body.session}"
    return f"{body.board}.{body.port}: {energy}, {body.why}{session}"


def _stay(body: port.LockerOpened) -> str:
    by = body.account or ("a PIN" if body.secret else "a card")
    return f"{body.board}.{body.port} for {by}, by {body.origin.via}"


def _stay_closed(body: port.LockerClosed) -> str:
    return f"stay {body.stay}: {body.outcome} after {body.stay_s // 3600} h, ¥{yuan(body.amount_fen)}"


def _day(body: port.PortDayClosed) -> str:
    sold = f"{body.sessions} sessions, {kwh(body.energy_wh)} kWh, ¥{yuan(body.amount_fen)}"
    return f"day {body.day}: {sold}; {body.unattributed} settlements without a bill; {body.stays} stays"


GISTS: dict[type, Callable[[Any], str]] = {
    port.PortOpened: _opened,
    port.PortClosed: _closed,
    port.PortUnattributed: _unattributed,
    port.LockerOpened: _stay,
    port.LockerStored: lambda body: f"stay {body.stay}: the pack is in",
    port.LockerDoor: lambda body: f"stay {body.stay}: opened to {body.act}{f', {body.why}' if body.why else ''}",
    port.LockerClosed: _stay_closed,
    port.LockerOverdue: lambda body: f"stay {body.stay}: nobody has come for {body.stay_s // 3600} h",
    port.PortDayClosed: _day,
}
