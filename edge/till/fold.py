"""The till's fold: one record more, and the state after it. The same function at work, at boot and in verification."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from edge.till import fold_fuel, fold_port, fold_swap
from edge.till.state import Day, Lease, Open, OpenFilling, OpenPort, OpenSession, OpenStay, TillState, lease_key
from edge.till.state_shop import OpenSwap
from edge.till.tables import Own
from edge.till.tables import put as _put
from protocols.trade.grants import split
from protocols.trade.records import (
    RISK,
    ConfigApplied,
    CounterTicked,
    DayClosed,
    Effect,
    EpochClosed,
    EpochOpened,
    GrantAccepted,
    Hold,
    Move,
    Origin,
    Record,
    Register,
    SessionClosed,
    SessionExtended,
    SessionHeld,
    SessionOpened,
    SessionVoided,
    TotalizersRead,
    body_of,
)
from protocols.trade.records_fuel import FillingClosed, FillingOpened
from protocols.trade.records_pack import SwapClosed, SwapOpened, SwapStepped
from protocols.trade.records_port import LockerClosed, LockerDoor, LockerOpened, PortClosed, PortOpened


class Contradiction(ValueError):
    """A record cannot follow this state: the log was written by faulty software or has been edited."""

    remedy = "Stop serving and run `fieldtill verify`; the records are kept as they are."


def apply(state: TillState, record: Record) -> TillState:
    """The state after `record`, which is the log's next one. Raises Contradiction, NotCanonical."""
    seq = state.size
    if state.closed:
        raise Contradiction(f"record {seq}: follows the epoch's last record, {seq - 1}")
    for move in record.moves:
        state = _move(state, move, seq)
    body = body_of(record)
    fold = _FOLDS.get(type(body))
    if fold is not None:
        state = fold(state, seq, record, body)
    for move in record.moves:
        _within_rights(state, seq, lease_key(move.account, move.asset))
    return replace(state, size=seq + 1)


def owned(state: TillState) -> TillState:
    """The same state with tables of its own, for a fold of many records. See `released`."""
    return replace(
        state,
        leases=Own(state.leases),
        wallets=Own(state.wallets),
        numbers=Own(state.numbers),
        risk_used=Own(state.risk_used),
        shop=fold_swap.owned(state.shop),
    )


def released(state: TillState) -> TillState:
    """A state like any other again, once such a fold is over."""
    return replace(
        state,
        leases=dict(state.leases),
        wallets=dict(state.wallets),
        numbers=dict(state.numbers),
        risk_used=dict(state.risk_used),
        shop=fold_swap.released(state.shop),
    )


def accept(state: TillState, body: GrantAccepted) -> TillState:
    """Counters merge by maximum; limits and credentials are those of the highest serial."""
    grant, _, _ = split(body.grant)
    key = lease_key(grant.account, grant.asset)
    lease = state.leases.get(key) or Lease(grant.account, grant.asset)
    granted = max(lease.granted, grant.granted)
    if grant.serial < lease.serial:
        return replace(state, leases=_put(state.leases, key, replace(lease, granted=granted)))
    credentials = tuple(grant.credentials)
    wallets = state.wallets
    for credential in set(lease.credentials) - set(credentials):
        wallets = _put(wallets, credential, tuple(k for k in wallets.get(credential, ()) if k != key))
    for credential in credentials:
        wallets = _put(wallets, credential, tuple(sorted({*wallets.get(credential, ()), key})))
    lease = replace(
        lease,
        granted=granted,
        serial=grant.serial,
        expires_s=grant.expires_s,
        session_limit=grant.session_limit,
        may_stay=grant.may_stay,
        credential_key=grant.credential_key,
        credentials=credentials,
    )
    return replace(state, leases=_put(state.leases, key, lease), wallets=wallets)


def _move(state: TillState, move: Move, seq: int) -> TillState:
    if move.effect == Effect.OVERRUN:
        _expect(seq, "overrun counter", state.overrun_fen + move.amount, move.counter)
        return replace(state, overrun_fen=move.counter)
    if move.effect not in (Effect.USED, Effect.RETURNED):
        return (
            state  # a kind of move made by later software; headquarters keeps it, the till's rights do not depend on it
        )
    key = lease_key(move.account, move.asset)
    lease = state.leases.get(key)
    if lease is None:
        raise Contradiction(f"record {seq}: a move on {key}, for which there is no grant")
    counter = "used" if move.effect == Effect.USED else "returned"
    _expect(seq, f"{counter} counter of {key}", getattr(lease, counter) + move.amount, move.counter)
    return replace(state, leases=_put(state.leases, key, replace(lease, **{counter: move.counter})))


def _epoch(state: TillState, seq: int, record: Record, body: EpochOpened) -> TillState:
    _expect(seq, "place of the epoch's opening", 0, seq)
    return replace(state, site=body.site, epoch=body.epoch)


def _grant(state: TillState, seq: int, record: Record, body: GrantAccepted) -> TillState:
    grant, _, _ = split(body.grant)
    if (grant.site, grant.epoch) != (state.site, state.epoch):
        raise Contradiction(f"record {seq}: a grant for {grant.site} epoch {grant.epoch}")
    return accept(state, body)


def _opened(state: TillState, seq: int, record: Record, body: SessionOpened) -> TillState:
    state = _begun(_hold(state, seq, body.holds, +1), record, body.origin, body.holds)
    session = OpenSession(seq, record.stamp, body, tuple(body.holds))
    return replace(
        state,
        sessions={**state.sessions, seq: session},
        registers={**state.registers, body.begin.meter: body.begin},
    )


def _filling_opened(state: TillState, seq: int, record: Record, body: FillingOpened) -> TillState:
    state = _begun(_hold(state, seq, body.holds, +1), record, body.origin, body.holds)
    court = fold_fuel.opened(state.forecourt, OpenFilling(seq, record.stamp, body, tuple(body.holds)))
    return replace(state, forecourt=court)


def _begun(state: TillState, record: Record, origin: Origin, holds: list[Hold], account: str = "") -> TillState:
    """The numbers that may never be used again, and what is held on the operator's risk. account: whose start number it
    is; empty: the first payer's."""
    numbers, command, risk_used = state.numbers, state.command, state.risk_used
    on_risk = sum(hold.amount for hold in holds if hold.account == RISK)
    if on_risk:
        risk_used = _put(risk_used, origin.credential, risk_used.get(origin.credential, 0) + on_risk)
    if origin.number and origin.via == "command":
        command = (record.stamp.boot, origin.number)
    elif origin.number and (account or holds):
        numbers = _put(numbers, account or holds[0].account, origin.number)
    return replace(state, numbers=numbers, command=command, risk_used=risk_used)


def _extended(state: TillState, seq: int, record: Record, body: SessionExtended) -> TillState:
    session = _session(state, seq, body.session)
    state = _hold(state, seq, body.holds, +1)
    return _with(state, replace(session, holds=(*session.holds, *body.holds)))


def _held(state: TillState, seq: int, record: Record, body: SessionHeld) -> TillState:
    session = _session(state, seq, body.session)
    return _with(state, replace(session, finding=body.finding, held=session.held or record.stamp))


def _closed(state: TillState, seq: int, record: Record, body: SessionClosed) -> TillState:
    day = state.day
    day = replace(
        day,
        sessions=day.sessions + 1,
        energy_wh=day.energy_wh + body.energy_wh,
        amount_fen=day.amount_fen + body.amount_fen,
        overrun_fen=day.overrun_fen + body.overrun_fen,
    )
    registers = {**state.registers, body.end.meter: body.end}
    numbered = state.meter_records + (body.meter_record is not None)
    return replace(_ended(state, seq, body.session), day=day, registers=registers, meter_records=numbered)


def _filling_closed(state: TillState, seq: int, record: Record, body: FillingClosed) -> TillState:
    filling = state.forecourt.fillings.get(body.session)
    if filling is None:
        raise Contradiction(f"record {seq}: names filling {body.session}, which is not open")
    state = replace(state, forecourt=fold_fuel.closed(state.forecourt, filling, body))
    return _billed(_ended(state, seq, body.session), body)


def _billed(state: TillState, body: FillingClosed | PortClosed | LockerClosed | SwapClosed) -> TillState:
    """With one more bill in the day, and its measurement counted. Energy is summed for metered connectors alone."""
    day = replace(
        state.day,
        sessions=state.day.sessions + 1,
        amount_fen=state.day.amount_fen + body.amount_fen,
        overrun_fen=state.day.overrun_fen + body.overrun_fen,
    )
    measured = not isinstance(body, LockerClosed) and body.meter_record is not None
    return replace(state, day=day, measurements=state.measurements + measured)


def _port_opened(state: TillState, seq: int, record: Record, body: PortOpened) -> TillState:
    state = _begun(_hold(state, seq, body.holds, +1), record, body.origin, body.holds)
    return replace(state, ports=fold_port.opened(state.ports, OpenPort(seq, record.stamp, body, tuple(body.holds))))


def _port_closed(state: TillState, seq: int, record: Record, body: PortClosed) -> TillState:
    session = state.ports.sessions.get(body.session)
    if session is None:
        raise Contradiction(f"record {seq}: names port session {body.session}, which is not open")
    state = replace(state, ports=fold_port.closed(state.ports, state.epoch, session, body))
    return _billed(_ended(state, seq, body.session), body)


def _locker_opened(state: TillState, seq: int, record: Record, body: LockerOpened) -> TillState:
    state = _begun(_hold(state, seq, body.holds, +1), record, body.origin, body.holds, body.account)
    stay = OpenStay(seq, record.stamp, body, tuple(body.holds))
    return replace(state, ports=replace(state.ports, stays={**state.ports.stays, seq: stay}))


def _locker_closed(state: TillState, seq: int, record: Record, body: LockerClosed) -> TillState:
    if body.stay not in state.ports.stays:
        raise Contradiction(f"record {seq}: names stay {body.stay}, which is not open")
    state = replace(state, ports=fold_port.given_back(state.ports, body))
    return _billed(_ended(state, seq, body.stay), body)


def _locker_door(state: TillState, seq: int, record: Record, body: LockerDoor) -> TillState:
    stay = state.ports.stays.get(body.stay)
    account = "" if stay is None else stay.opened.account
    return _of_the_ports(_begun(state, record, body.origin, [], account), seq, record, body)


def _of_the_ports(state: TillState, seq: int, record: Record, body: Any) -> TillState:
    try:
        return replace(state, ports=fold_port.FOLDS[type(body)](state.ports, record.stamp, body))
    except KeyError as error:
        raise Contradiction(f"record {seq}: names stay {error}, which is not open") from None


def _swap_opened(state: TillState, seq: int, record: Record, body: SwapOpened) -> TillState:
    state = _begun(_hold(state, seq, body.holds, +1), record, body.origin, body.holds, body.account)
    return replace(state, shop=fold_swap.opened(state.shop, seq, record.stamp, body))


def _swap_stepped(state: TillState, seq: int, record: Record, body: SwapStepped) -> TillState:
    swap = _swap(state, seq, body.session)
    return replace(state, shop=fold_swap.stepped(state.shop, swap, seq, record.stamp, body))


def _swap_closed(state: TillState, seq: int, record: Record, body: SwapClosed) -> TillState:
    swap = _swap(state, seq, body.session)
    state = _hold(state, seq, swap.holds, -1)
    return _billed(replace(state, shop=fold_swap.closed(state.shop, swap, seq, record.stamp, body)), body)


def _swap(state: TillState, seq: int, session: int) -> OpenSwap:
    swap = state.shop.swaps.get(session)
    if swap is None:
        raise Contradiction(f"record {seq}: names swap session {session}, which is not open")
    return swap


def _of_the_shop(state: TillState, seq: int, record: Record, body: Any) -> TillState:
    return replace(state, shop=fold_swap.FOLDS[type(body)](state.shop, seq, record, body))


def _of_the_forecourt(state: TillState, seq: int, record: Record, body: Any) -> TillState:
    return replace(state, forecourt=fold_fuel.FOLDS[type(body)](state.forecourt, body))


def _voided(state: TillState, seq: int, record: Record, body: SessionVoided) -> TillState:
    at_port = state.ports.sessions.get(body.session)
    if at_port is not None:
        state = replace(state, ports=fold_port.voided(state.ports, state.epoch, at_port, body.reason))
    return _ended(state, seq, body.session)


def _day(state: TillState, seq: int, record: Record, body: DayClosed) -> TillState:
    return replace(state, day=Day(number=body.day + 1, first_seq=seq + 1))


def _totalizers(state: TillState, seq: int, record: Record, body: TotalizersRead) -> TillState:
    registers: dict[str, Register] = {register.meter: register for register in body.registers}
    return replace(state, registers={**state.registers, **registers})


def _config(state: TillState, seq: int, record: Record, body: ConfigApplied) -> TillState:
    return replace(state, pins={**state.pins, **{pin.kind: pin for pin in body.pins}})


def _epoch_closed(state: TillState, seq: int, record: Record, body: EpochClosed) -> TillState:
    ports = state.ports
    still_open = len(state.sessions) + len(state.forecourt.fillings) + len(ports.sessions) + len(ports.stays)
    still_open += len(state.shop.swaps)
    _expect(seq, "open sessions when the epoch closes", 0, still_open)
    return replace(state, closed=True)


def _ticked(state: TillState, seq: int, record: Record, body: CounterTicked) -> TillState:
    if body.value <= state.ticks:
        raise Contradiction(f"record {seq}: the rollback counter goes from {state.ticks} to {body.value}")
    return replace(state, ticks=body.value)


def _ended(state: TillState, seq: int, session_seq: int) -> TillState:
    session = _session(state, seq, session_seq)
    state = _hold(state, seq, session.holds, -1)
    court = state.forecourt
    sessions = {key: value for key, value in state.sessions.items() if key != session_seq}
    fillings = {key: value for key, value in court.fillings.items() if key != session_seq}
    ports = fold_port.ended(state.ports, session_seq)
    return replace(state, sessions=sessions, forecourt=replace(court, fillings=fillings), ports=ports)


def _hold(state: TillState, seq: int, holds: tuple[Hold, ...] | list[Hold], sign: int) -> TillState:
    leases = state.leases
    for hold in holds:
        key = lease_key(hold.account, hold.asset)
        lease = leases.get(key)
        if lease is None:
            raise Contradiction(f"record {seq}: a hold on {key}, for which there is no grant")
        leases = _put(leases, key, replace(lease, held=lease.held + sign * hold.amount))
    state = replace(state, leases=leases)
    for hold in holds:
        _within_rights(state, seq, lease_key(hold.account, hold.asset))
    return state


def _within_rights(state: TillState, seq: int, key: str) -> None:
    lease = state.leases.get(key)
    if lease is not None and (lease.rights < 0 or lease.held < 0):
        raise Contradiction(f"record {seq}: {key} would have {lease.rights} of rights left")


def _session(state: TillState, seq: int, session_seq: int) -> Open:
    ports = state.ports
    session = (
        state.sessions.get(session_seq)
        or state.forecourt.fillings.get(session_seq)
        or ports.sessions.get(session_seq)
        or ports.stays.get(session_seq)
    )
    if session is None:
        raise Contradiction(f"record {seq}: names session {session_seq}, which is not open")
    return session


def _with(state: TillState, session: Open) -> TillState:
    """The state with this session as it is now."""
    if isinstance(session, OpenSession):
        return replace(state, sessions={**state.sessions, session.seq: session})
    if isinstance(session, OpenPort | OpenStay):
        return replace(state, ports=fold_port.with_open(state.ports, session))
    court = state.forecourt
    return replace(state, forecourt=replace(court, fillings={**court.fillings, session.seq: session}))


def _expect(seq: int, what: str, expected: int, got: int) -> None:
    if expected != got:
        raise Contradiction(f"record {seq}: expected {what} to be {expected}, got {got}")


_FOLDS: dict[type | None, Callable[[TillState, int, Record, Any], TillState]] = {
    EpochOpened: _epoch,
    GrantAccepted: _grant,
    SessionOpened: _opened,
    SessionExtended: _extended,
    SessionHeld: _held,
    SessionClosed: _closed,
    SessionVoided: _voided,
    DayClosed: _day,
    TotalizersRead: _totalizers,
    ConfigApplied: _config,
    EpochClosed: _epoch_closed,
    CounterTicked: _ticked,
    FillingOpened: _filling_opened,
    FillingClosed: _filling_closed,
    **dict.fromkeys(fold_fuel.FOLDS, _of_the_forecourt),
    SwapOpened: _swap_opened,
    SwapStepped: _swap_stepped,
    SwapClosed: _swap_closed,
    **dict.fromkeys(fold_swap.FOLDS, _of_the_shop),
    PortOpened: _port_opened,
    PortClosed: _port_closed,
    LockerOpened: _locker_opened,
    LockerClosed: _locker_closed,
    **dict.fromkeys(fold_port.FOLDS, _of_the_ports),
    LockerDoor: _locker_door,
}
"""Kinds that change the till's state beyond their moves; the others are for people and for headquarters."""
