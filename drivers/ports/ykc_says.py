"""What do the words of a YKC pile mean to a till, and the till's to a pile? Pure.

Order numbers travel as piles make them up, pile and gun first:

    pile 14 digits   gun 2   mark 2   99   epoch 3   mark 1   seq 8

A pile that starts by itself writes yyMMddHHmmss and a counter behind its gun. No date has a month 99, so none of those
is ever taken for ours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from drivers.port_board import EnergyPart, PortEnd, PortState, PortStatus, Settlement, order_number, session_of
from protocols.fieldbus.ykc_money import Bill, Ending, ending, faults, why
from protocols.fieldbus.ykc_session import NO_ORDER, GunStatus, NoStart, PileFault, State

EPOCH_MAX: Final = 999
SEQ_MAX: Final = 99_999_999
_NO_MONTH: Final = "99"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_ENDS: Final = {
    0x40: PortEnd.STOPPED, 0x41: PortEnd.FULL, 0x42: PortEnd.LIMIT, 0x43: PortEnd.LIMIT, 0x44: PortEnd.LIMIT,
    0x45: PortEnd.OTHER,
    0x4B: PortEnd.UNPLUGGED, 0x4E: PortEnd.LIMIT, 0x50: PortEnd.HAZARD, 0x53: PortEnd.HAZARD, 0x57: PortEnd.HAZARD,
    0x6B: PortEnd.UNPLUGGED, 0x6E: PortEnd.LIMIT, 0x72: PortEnd.HAZARD, 0x74: PortEnd.HAZARD, 0x76: PortEnd.NO_LOAD,
    0x7C: PortEnd.HAZARD, 0x7E: PortEnd.HAZARD, 0x80: PortEnd.HAZARD, 0x82: PortEnd.OTHER, 0x83: PortEnd.POWER_LOSS,
}  # fmt: skip
"""Of the stop reasons; what is not here follows from its range."""

_REFUSALS: Final = {member.name.lower().replace("_", "-"): member for member in NoStart if member is not NoStart.NONE}


def order_of(number: bytes, pile: str, port: int) -> str:
    """Our order number as the pile gets it. Raises ValueError for one that has no place there."""
    session = session_of(number)
    if session is None:
        raise ValueError(f"{number.hex()} is no order number of ours")
    epoch, seq = session
    mark = int(number.hex()[13:16])
    if not (1 <= epoch <= EPOCH_MAX and 0 <= seq <= SEQ_MAX and 1 <= port <= 99):
        raise ValueError(f"epoch {epoch}, seq {seq}, gun {port}: more than a pile's order number has room for")
    return f"{pile}{port:02}{mark // 10:02}{_NO_MONTH}{epoch:03}{mark % 10}{seq:08}"


def number_of(order: str, pile: str) -> bytes:
    """The till's number of a pile's order: ours as it was told, or the 16 bytes that the pile made up."""
    if order.isdecimal() and order.startswith(pile) and order[18:20] == _NO_MONTH and int(order[20:23]):
        return order_number(int(order[20:23]), int(order[24:]), int(order[16:18] + order[23]))
    return bytes.fromhex(order)


def gun_byte(port: int) -> int:
    """Guns travel as two decimal digits: 10 is 0x10."""
    return int(str(port), 16)


def port_of(gun: int) -> int:
    """The port of a gun's byte; of one that is no decimal digits, the byte itself."""
    return int(f"{gun:x}") if f"{gun:x}".isdecimal() else gun


def status_of(state: State, *, phases: int = 1, peak_w: int | None = None) -> PortStatus:
    """What a pile says of a gun. Energy is rounded down, power is that of all phases."""
    charging = state.status == GunStatus.CHARGING
    order = None if state.order == NO_ORDER else number_of(state.order, state.pile)
    return PortStatus(
        state=_state(state),
        reason=reason_of(state),
        order=order if charging else None,
        energy_wh=state.energy_dwh // 10 if charging else None,
        elapsed_s=state.charged_min * 60 if charging else None,
        power_w=power_w(state, phases),
        peak_w=peak_w if charging else None,
        plugged=state.plugged,
    )


def power_w(state: State, phases: int) -> int:
    """Of a gun, from the voltage and current that it tells."""
    return state.voltage_mv * state.current_ma * phases // 1_000_000


def reason_of(state: State) -> str:
    """The state in the pile's own words."""
    known = isinstance(state.status, GunStatus)
    word = GunStatus(state.status).name.lower() if known else f"status {state.status}"
    faults = [fault.name.lower().replace("_", " ") for fault in state.pile_faults if fault.name]
    rest = state.faults & ~sum(PileFault)
    faults += [f"fault {rest:04X}"] if rest else []
    return f"{word}: {', '.join(faults)}" if faults else word


def end_of(stop_reason: int) -> PortEnd:
    """In a till's words."""
    if stop_reason in _ENDS:
        return _ENDS[stop_reason]
    return PortEnd.FAULT if ending(stop_reason) in (Ending.NOT_STARTED, Ending.ABORTED) else PortEnd.OTHER


def settlement_of(bill: Bill, utc_offset_min: int) -> Settlement:
    """A bill as the gun's last word. Its own digits are finer: energy is rounded down, so that the parts are the
    whole, and money up. doubts: of the digits themselves. ticket: the bill itself."""
    energy_wh = bill.energy_dwh // 10
    parts: list[EnergyPart] = []
    so_far_dwh = 0
    for period, part in enumerate(bill.parts):
        before_wh = so_far_dwh // 10
        so_far_dwh += part.energy_dwh
        if part.energy_dwh or part.amount_e2:
            parts.append(EnergyPart(period, so_far_dwh // 10 - before_wh, _fen_up(part.amount_e2)))
    began, ended = bill.started_at, bill.ended_at
    elapsed_s = int((ended - began).total_seconds()) if began and ended and ended >= began else None
    return Settlement(
        port=port_of(bill.gun),
        number=number_of(bill.order, bill.pile),
        end=end_of(bill.stop_reason),
        reason=f"{bill.stop_reason:02X} {why(bill.stop_reason)}",
        energy_wh=energy_wh,
        elapsed_s=elapsed_s,
        amount_fen=_fen_up(bill.amount_e2),
        parts=tuple(parts),
        register_wh=(bill.meter_start_dwh // 10, bill.meter_end_dwh // 10),
        began_ms=unix_ms(began, utc_offset_min),
        ended_ms=unix_ms(ended, utc_offset_min),
        doubts=tuple(fault.value for fault in faults(bill)),
        ticket=bill,
    )


def unix_ms(moment: datetime | None, utc_offset_min: int) -> int | None:
    """Unix time of a pile's moment. None: it had none."""
    if moment is None:
        return None
    return (moment.replace(tzinfo=UTC) - timedelta(minutes=utc_offset_min) - _EPOCH) // timedelta(milliseconds=1)


def pile_time(wall_ms: int, utc_offset_min: int) -> datetime:
    """What a pile's clock shows at this Unix time."""
    return (_EPOCH + timedelta(milliseconds=wall_ms, minutes=utc_offset_min)).replace(tzinfo=None)


def refusal_of(reason: str) -> NoStart:
    """What a pile shows a customer who is refused: `reason` is a member of NoStart as `no-account`, or words."""
    return _REFUSALS.get(reason, NoStart.NO_ACCOUNT)


def word_of(reason: int) -> str:
    """A result in words."""
    return getattr(reason, "name", f"reason {reason}").lower().replace("_", " ")


def _state(state: State) -> PortState:
    if state.status == GunStatus.CHARGING:
        return PortState.CHARGING
    if state.status == GunStatus.FAULT:
        return PortState.FAULT
    if state.status != GunStatus.IDLE:
        return PortState.OUT
    return PortState.PLUGGED if state.plugged else PortState.IDLE


def _fen_up(amount_e2: int) -> int:
    return -(-amount_e2 // 100)
