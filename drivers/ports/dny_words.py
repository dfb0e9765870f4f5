"""What do a DNY board's numbers mean to a till, and a till's order to a DNY board? Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, TypeVar

from drivers.port_board import PortEnd, PortOrder, PortState, Settlement
from drivers.ports.cards import Account, Verdict
from protocols.fieldbus import dny_board as board
from protocols.fieldbus import dny_codes as codes
from protocols.fieldbus import dny_platform as platform
from protocols.fieldbus.card_number import credential, from_said, made_up
from protocols.fieldbus.dny_codes import StopReason, SwitchResult

E = TypeVar("E", bound=IntEnum)

ENERGY_STEP_WH: Final = 10
POWER_MAX_MW: Final = 6_553_500
BALANCE_MAX_FEN: Final = (1 << 32) - 1

_STATES: Final[Mapping[int, PortState]] = {
    codes.PortState.IDLE: PortState.IDLE,
    codes.PortState.CHARGING: PortState.CHARGING,
    codes.PortState.PLUGGED: PortState.PLUGGED,
    codes.PortState.FULL: PortState.FULL,
    codes.PortState.FLOATING: PortState.FULL,
}  # all others are faults

_ENDS: Final[Mapping[int, PortEnd]] = {
    StopReason.FULL: PortEnd.FULL,
    StopReason.TIME_MAX: PortEnd.LIMIT,
    StopReason.TIME_UP: PortEnd.LIMIT,
    StopReason.ENERGY_UP: PortEnd.LIMIT,
    StopReason.UNPLUGGED: PortEnd.UNPLUGGED,
    StopReason.UNPLUGGED_CONTACT: PortEnd.UNPLUGGED,
    StopReason.OVERLOAD: PortEnd.OVERLOAD,
    StopReason.DYNAMIC_OVERLOAD: PortEnd.OVERLOAD,
    StopReason.OVER_CURRENT: PortEnd.OVERLOAD,
    StopReason.SERVER: PortEnd.STOPPED,
    StopReason.POWER_TOO_LOW: PortEnd.NO_LOAD,
    StopReason.NO_POWER: PortEnd.NO_LOAD,
    StopReason.LOW_POWER: PortEnd.NO_LOAD,
    StopReason.AMBIENT_HOT: PortEnd.HAZARD,
    StopReason.PORT_HOT: PortEnd.HAZARD,
    StopReason.WATER: PortEnd.HAZARD,
    StopReason.FIRE_HERE: PortEnd.HAZARD,
    StopReason.FIRE_ELSEWHERE: PortEnd.HAZARD,
    StopReason.FIRE_SYSTEM: PortEnd.HAZARD,
    StopReason.UNDER_VOLTAGE: PortEnd.POWER_LOSS,
    StopReason.OVER_VOLTAGE: PortEnd.FAULT,
    StopReason.PRECHECK: PortEnd.FAULT,
    StopReason.MEMORY: PortEnd.FAULT,
}  # all others: somebody at the board, or what no document says

_ACCOUNTS: Final[Mapping[Account, codes.Account]] = {
    Account.OK: codes.Account.OK,
    Account.UNREGISTERED: codes.Account.UNREGISTERED,
    Account.BUSY: codes.Account.ALREADY_CHARGING,
    Account.NO_MONEY: codes.Account.NO_MONEY,
    Account.EXPIRED: codes.Account.EXPIRED,
    Account.TOO_OFTEN: codes.Account.OVER_COUNT,
    Account.PORT_FAULT: codes.Account.PORT_FAULT,
    Account.ELSEWHERE: codes.Account.OTHER_OPERATOR,
}

HAZARDS: Final = frozenset(
    {codes.AlarmKind.WATER, codes.AlarmKind.HOT_MELT, codes.AlarmKind.SMOKE, codes.AlarmKind.HEAT}
)


def name(kind: type[E], number: int) -> str:
    """`06 overload`: the wire's number, and the protocol's word where it has one."""
    try:
        return f"{number:02X} {kind(number).name.lower().replace('_', ' ')}"
    except ValueError:
        return f"{number:02X}"


def state(number: int) -> PortState:
    """Of a port, by its code in a heartbeat or power report."""
    return _STATES.get(number, PortState.FAULT)


def end(reason: int) -> PortEnd:
    """Why a port ended, by a settlement's code."""
    return _ENDS.get(reason, PortEnd.OTHER)


def settlement(message: board.Settlement, ticket: object) -> Settlement:
    """As a till knows it."""
    ended_s = message.ended_at_s
    peak_mw = max(message.power_max_mw, message.power_early_mw or 0)
    return Settlement(
        port=message.port + 1,
        number=message.order,
        end=end(message.reason),
        reason=name(StopReason, message.reason),
        energy_wh=message.energy_wh,
        elapsed_s=message.duration_s,
        peak_w=-(-peak_mw // 1000),
        ended_ms=ended_s * 1000 if ended_s else None,
        ticket=ticket,
    )


def switch(port: int, order: PortOrder, time_max_s: int) -> platform.Switch:
    """What starts it. time_max_s: the longest that this board takes. Raises ValueError for what it cannot deliver.

    Energy is cut to whole steps and to what the board can count, so that a customer never gets more than was told. A
    board has one clock for an order, so that one by time ends at the lesser of its limit and its longest time.
    """
    if len(order.number) != 16:
        raise ValueError(f"an order number has 16 bytes, not {len(order.number)}")
    longest_s = min(time_max_s, order.time_max_s or time_max_s)
    if longest_s < 1:
        raise ValueError(f"at most {order.time_max_s} s is no time")
    overload_mw = 0 if order.power_w_max is None else order.power_w_max * 1000
    if not 0 <= overload_mw <= POWER_MAX_MW or order.power_w_max == 0:
        raise ValueError(f"a greatest power of {order.power_w_max} W: it takes 1 to {POWER_MAX_MW // 1000} W")
    mode, limit = codes.Mode.TIME, 0
    if order.kind == "time":
        limit = order.limit
        if not 1 <= limit <= time_max_s:
            raise ValueError(f"{limit} s: it takes 1 to {time_max_s} s")
    elif order.kind == "energy":
        mode, limit = codes.Mode.ENERGY, min(order.limit // ENERGY_STEP_WH, 0xFFFF)
        if limit < 1:
            raise ValueError(f"{order.limit} Wh: it takes {ENERGY_STEP_WH} Wh and more")
    return platform.start(
        port - 1,
        order.number,
        mode=mode,
        limit=limit,
        balance=max(0, min(order.prepaid_fen, BALANCE_MAX_FEN)),
        time_max_s=longest_s,
        overload_mw=overload_mw,
    )


def remedy(result: int) -> str:
    """What a person does about a board that refuses to switch."""
    if result == SwitchResult.NO_CHARGER:
        return "Plug the charger in, and try again."
    if result in (SwitchResult.SMOKE, SwitchResult.LOAD_SHORT):
        return "Go there: unplug what is on it, and look for heat and smoke."
    if result in (SwitchResult.RELAY_OR_FUSE, SwitchResult.MEMORY):
        return "The port needs repair; take it out of service."
    if result == SwitchResult.ALREADY:
        return "Another order runs on it; take another port, or stop that order by its own number."
    return "`fieldtill device show BOARD` tells what the board says of itself."


def card_text(message: board.CardShown) -> str | None:
    """The card's credential. None: it has no number of its own."""
    octets = message.number if message.kind == codes.CardKind.LONG and message.number else message.uid
    if not any(octets) or made_up(octets):
        return None
    return credential(from_said(octets))


def card_answer(message: board.CardShown, verdict: Verdict) -> platform.CardAnswer:
    balance = max(0, min(verdict.balance_fen, BALANCE_MAX_FEN))
    return platform.CardAnswer(message.uid, _ACCOUNTS[verdict.account], codes.Mode.TIME, balance, message.port)
