"""Can this record follow those before it? Every check that needs no more than a log and the documents that it pins.

    audit = Audit(site, epoch, payload_of)
    for seq, data in enumerate(leaves):
        record, body = audit.take(data)
    audit.findings

A log can be whole, hashed and signed, and still be wrong: written by faulty software, or edited before it was signed.
Nothing stops at the first finding: the audit goes on from what the record says, so that one bad number is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from protocols.proof.ocmf_session import Session
from protocols.trade import audit_fuel, audit_port, audit_swap
from protocols.trade.audit_bill import Pinned, bill_faults
from protocols.trade.audit_meter import meter_record_faults
from protocols.trade.audit_trail import AnyRunning, Lease, LeaseKey, Reading, Running, Sums, Tally, Trail
from protocols.trade.books import HQ, check_counters, counter_key
from protocols.trade.codec import NotCanonical, Wire, decode
from protocols.trade.finding import Findings
from protocols.trade.grants import split
from protocols.trade.records import (
    AccountActed,
    ConfigApplied,
    CounterTicked,
    DayClosed,
    Effect,
    EpochClosed,
    EpochOpened,
    GrantAccepted,
    Hold,
    Notice,
    Origin,
    Pin,
    Record,
    Register,
    SessionClosed,
    SessionExtended,
    SessionHeld,
    SessionOpened,
    SessionVoided,
    Stamp,
    TotalizersRead,
    ValueReturned,
    body_of,
)
from protocols.trade.records_fuel import FillingClosed
from protocols.trade.records_pack import SwapClosed
from protocols.trade.records_port import LockerClosed, PortClosed

PayloadOf = Callable[[Pin], bytes | None]
"""The exact bytes that a pin names, which hash to it; None where they are not to be had."""


class Audit:
    """One pass over one log, from its first record or from the trail that an earlier pass left."""

    def __init__(
        self,
        site: str,
        epoch: int,
        payload_of: PayloadOf,
        *,
        trail: Trail | None = None,
        findings: Findings | None = None,
    ) -> None:
        """site: "" for headquarters' own log, which has no sessions, no rights and many clocks."""
        self.site = site
        self.epoch = epoch
        self.trail = trail or Trail()
        self.findings = findings if findings is not None else Findings()
        self.tally = Tally()
        self.pinned = Pinned(payload_of)

    def take(self, data: bytes) -> tuple[Record | None, Wire | None]:
        """The next record, as it is stored. None for what cannot be read; a body of later software is None too."""
        seq = self.trail.size
        try:
            record = decode(data, Record)
            body = body_of(record)
        except NotCanonical as error:
            self.findings.add("not-canonical", seq, "the record", "the one encoding of a record", str(error))
            self.trail.size = seq + 1
            return None, None
        self.take_record(record, body)
        return record, body

    def take_record(self, record: Record, body: Wire | None) -> None:
        """As `take`, of one that has been decoded."""
        trail, tally = self.trail, self.tally
        seq = trail.size
        tally.records += 1
        if trail.closed:
            self.find("after-close", "a record", "none after the epoch's last", record.kind)
        self._stamp(record.stamp)
        if record.moves:
            tally.moves += len(record.moves)
            self._moves(record, body)
        check = _CHECKS.get(type(body))
        if check is not None:
            check(self, record, body)
        if seq == 0 and self.site != HQ and not isinstance(body, EpochOpened):
            self.find("not-opened", "record 0", "epoch-opened", record.kind)
        trail.size = seq + 1

    def find(self, code: str, what: str, expected: object, got: object) -> None:
        self.findings.add(code, self.trail.size, what, str(expected), str(got))

    # --- clocks -----------------------------------------------------------------------------------------------------

    def _stamp(self, stamp: Stamp) -> None:
        trail = self.trail
        before, trail.stamp = trail.stamp, stamp
        if stamp.ub_ms is not None and stamp.ub_ms < stamp.lb_ms:
            self.find("clock", "upper bound of the time", f"{stamp.lb_ms} or later", stamp.ub_ms)
        if self.site == HQ:
            return  # several processes write it, each with clocks of its own
        if before is None:
            trail.boots.add(stamp.boot)
            return
        if stamp.lb_ms < before.lb_ms:
            self.find("clock", "lower bound of the time", f"{before.lb_ms} or later", stamp.lb_ms)
        if stamp.boot == before.boot:
            if stamp.mono_ms < before.mono_ms:
                self.find("clock", "time since the start of the box", f"{before.mono_ms} ms or later", stamp.mono_ms)
        elif stamp.boot in trail.boots:
            self.find("clock", "start of the box", "one not seen before the last", stamp.boot.hex())
        else:
            trail.boots.add(stamp.boot)

    # --- value ------------------------------------------------------------------------------------------------------

    def _moves(self, record: Record, body: Wire | None) -> None:
        counters = self.trail.counters
        for broken in check_counters(counters, record.moves):
            key = broken.key
            what = f"counter `{key.effect}` of {key.account} in {key.asset}"
            self.find("counter", what, f"{broken.expected - broken.amount} + {broken.amount}", broken.got)
        for move in record.moves:
            counters[counter_key(move)] = move.counter
        if self.site == HQ:
            return
        for move in record.moves:
            if move.effect in _EFFECTS and body is not None and not isinstance(body, _EFFECTS[move.effect]):
                self.find("move-out-of-place", f"a move `{move.effect}`", _PLACES[move.effect], f"in {record.kind}")
            if move.effect == Effect.USED:
                self._lease(move.account, move.asset).used = move.counter
            elif move.effect == Effect.RETURNED:
                self._lease(move.account, move.asset).returned = move.counter
        if not isinstance(body, _BILLS):  # there the hold is taken off first
            self.within_rights((move.account, move.asset) for move in record.moves)

    def _lease(self, account: str, asset: str) -> Lease:
        key = (account, asset)
        lease = self.trail.leases.get(key)
        if lease is None:
            lease = self.trail.leases[key] = Lease()
        return lease

    def within_rights(self, keys: Iterable[LeaseKey]) -> None:
        for key in dict.fromkeys(keys):
            lease = self.trail.leases.get(key)
            if lease is not None and lease.rights < 0:
                self.find("rights", f"rights of {key[0]} in {key[1]}", "0 or more", lease.rights)

    def _grant(self, record: Record, body: GrantAccepted) -> None:
        self.tally.grants += 1
        try:
            grant, _, _ = split(body.grant)
        except NotCanonical as error:
            self.find("not-canonical", "the grant", "the one encoding of a grant", error)
            return
        if (grant.site, grant.epoch) != (self.site, self.epoch):
            self.find("grant", "a grant", f"for {self.site}/{self.epoch}", f"for {grant.site}/{grant.epoch}")
            return
        lease = self._lease(grant.account, grant.asset)
        lease.granted = max(lease.granted, grant.granted)

    # --- sessions ---------------------------------------------------------------------------------------------------

    def _opened(self, record: Record, body: SessionOpened) -> None:
        trail = self.trail
        self.tally.sessions += 1
        for seq, running in trail.sessions.items():
            if running.opened.connector == body.connector:
                self.find("session", f"connector {body.connector}", "no session", f"session {seq} is open there")
        self.begun(record, body.origin, body.clock_lb_ms, body.clock_ub_ms)
        self.hold(body.holds)
        self._read(body.begin, record.stamp.boot, "register at the start of the session")
        trail.sessions[trail.size] = Running(body, list(body.holds), record.stamp, [trail.size])

    def begun(self, record: Record, origin: Origin, clock_lb_ms: int, clock_ub_ms: int | None) -> None:
        """What holds of every opening record: its time, and a command that has not run before."""
        if clock_ub_ms is not None and clock_ub_ms < clock_lb_ms:
            self.find("clock", "latest start of the session", f"{clock_lb_ms} or later", clock_ub_ms)
        if origin.via == "command" and origin.number:
            boot, number = self.trail.command
            if boot == record.stamp.boot and origin.number <= number:
                self.find("number", "the command's number", f"above {number}", origin.number)
            self.trail.command = (record.stamp.boot, origin.number)

    def _extended(self, record: Record, body: SessionExtended) -> None:
        running = self._running(body.session)
        if running is not None:
            self.hold(body.holds)
            running.holds += body.holds
            running.records.append(self.trail.size)

    def hold(self, holds: list[Hold]) -> None:
        for hold in holds:
            self._lease(hold.account, hold.asset).held += hold.amount
        self.within_rights((hold.account, hold.asset) for hold in holds)

    def _held(self, record: Record, body: SessionHeld) -> None:
        running = self._running(body.session)
        if running is not None:
            running.records.append(self.trail.size)

    def _voided(self, record: Record, body: SessionVoided) -> None:
        self.ended(body.session)

    def _closed(self, record: Record, body: SessionClosed) -> None:
        trail, tally = self.trail, self.tally
        day = trail.day
        day.sessions += 1
        day.energy_wh += body.energy_wh
        day.amount_fen += body.amount_fen
        day.overrun_fen += body.overrun_fen
        running = self.ended(body.session)
        if running is not None and not isinstance(running, Running):
            self.find("session", "what ends it", f"not {record.kind}", f"an opening of {type(running.opened).__name__}")
            return
        if body.meter_record is not None:
            trail.meter_records += 1
            tally.meter_records += 1
            if running is not None:
                page, key = trail.meter_records, trail.device_key
                told = Session(
                    self.site, self.epoch, body.session, running.stamp, running.opened, body, closed_at=record.stamp
                )
                for fault in meter_record_faults(body.meter_record, page, key, told):
                    self.find(*fault)
        if running is None:
            return
        for fault in bill_faults(running.opened, running.holds, record.moves, body, self.pinned):
            self.find(*fault)
        tally.bills += 1
        same_boot = running.stamp.boot == record.stamp.boot
        self._read(body.end, record.stamp.boot if same_boot else b"", "register at the end of the session")
        self.within_rights((move.account, move.asset) for move in record.moves)

    def _running(self, session: int) -> AnyRunning | None:
        trail = self.trail
        running = (
            trail.sessions.get(session)
            or trail.fuel.fillings.get(session)
            or trail.ports.sessions.get(session)
            or trail.ports.stays.get(session)
            or trail.swaps.sessions.get(session)
        )
        if running is None:
            self.find("session", "the session it is about", "an open one", session)
        return running

    def ended(self, session: int) -> AnyRunning | None:
        """Take it off the open ones, and its holds off the leases. None: it was not open."""
        running = self._running(session)
        if running is not None:
            trail = self.trail
            for table in (trail.sessions, trail.fuel.fillings, trail.ports.sessions, trail.ports.stays):
                table.pop(session, None)
            trail.swaps.sessions.pop(session, None)
            for hold in running.holds:
                self._lease(hold.account, hold.asset).held -= hold.amount
        return running

    # --- meters -----------------------------------------------------------------------------------------------------

    def _read(self, register: Register, boot: bytes, what: str) -> None:
        """A register may only grow, in the order in which it was read: records of other sessions may come between.

        boot: that it was read in; empty when that is one of two. Then a smaller one is an older one.
        """
        trail, meter, energy_wh = self.trail, register.meter, register.energy_wh
        before = trail.meters.get(meter)
        if before is None:
            trail.meters[meter] = Reading(energy_wh, boot, register.mono_ms)
            return
        if not boot:
            if energy_wh > before.energy_wh:
                trail.meters[meter] = Reading(energy_wh, b"", 0)
            return
        if boot == before.boot and register.mono_ms < before.mono_ms:
            if energy_wh > before.energy_wh:
                self.find("meter", f"{what}, read before one of {before.energy_wh} Wh", "no more", energy_wh)
            return
        excused = meter in trail.excused
        trail.excused.discard(meter)
        if energy_wh < before.energy_wh and not excused:
            if any(running.opened.begin.meter == meter for running in trail.sessions.values()):
                return  # the session that runs on it has yet to say what it makes of this
            else:
                self.find("meter", f"{what}, meter {meter}", f"{before.energy_wh} Wh or more", energy_wh)
        trail.meters[meter] = Reading(energy_wh, boot, register.mono_ms)

    def _totalizers(self, record: Record, body: TotalizersRead) -> None:
        for register in body.registers:
            self._read(register, record.stamp.boot, "register as read")

    def _notice(self, record: Record, body: Notice) -> None:
        if body.what in _EXCUSES:
            self.trail.excused.add(body.subject)
        if body.what in audit_fuel.EXCUSES:
            self.trail.fuel.excused.add(body.subject)

    # --- the log's own course ---------------------------------------------------------------------------------------

    def _day(self, record: Record, body: DayClosed) -> None:
        trail, day = self.trail, self.trail.day
        self.tally.day_closes += 1
        for name in DayClosed.__struct_fields__:
            expected = day.number if name == "day" else getattr(day, name)
            got = getattr(body, name)
            if expected != got:
                self.find("day", f"{name} of day {body.day}", expected, got)
        trail.day = Sums(number=body.day + 1, first_seq=trail.size + 1)

    def _epoch(self, record: Record, body: EpochOpened) -> None:
        self.trail.device_key = body.device_key
        if self.trail.size:
            self.find("not-opened", "an epoch's opening", "record 0 alone", f"record {self.trail.size}")
        if (body.site, body.epoch) != (self.site, self.epoch):
            self.find("not-opened", "whose log", f"{self.site}/{self.epoch}", f"{body.site}/{body.epoch}")

    def _epoch_closed(self, record: Record, body: EpochClosed) -> None:
        trail = self.trail
        still = sorted([*trail.sessions, *trail.fuel.fillings, *trail.ports.sessions, *trail.ports.stays])
        still += sorted(trail.swaps.sessions)
        if still:
            self.find("after-close", "open sessions at the epoch's end", "none", still)
        self.trail.closed = True

    def _ticked(self, record: Record, body: CounterTicked) -> None:
        if body.value <= self.trail.ticks:
            self.find("number", "the rollback counter", f"above {self.trail.ticks}", body.value)
        self.trail.ticks = max(self.trail.ticks, body.value)

    def _config(self, record: Record, body: ConfigApplied) -> None:
        for pin in body.pins:
            if not self.pinned.has(pin):
                self.find("document", f"content of {pin.kind} {pin.version}", pin.hash.hex(), "none that hashes to it")

    def _act(self, record: Record, body: AccountActed) -> None:
        if body.serial != self.trail.size:
            self.find("number", "the act's serial number", self.trail.size, body.serial)


_BILLS: tuple[type[Wire], ...] = (SessionClosed, FillingClosed, PortClosed, LockerClosed, SwapClosed)
_EFFECTS: dict[str, tuple[type[Wire], ...]] = {
    Effect.USED: _BILLS,
    Effect.OVERRUN: _BILLS,
    Effect.RETURNED: (ValueReturned,),
}
"""In which records a site's own moves have their place."""
_PLACES = {effect: " or ".join(kind.__name__ for kind in kinds) for effect, kinds in _EFFECTS.items()}

_EXCUSES = frozenset({"meter-reset", "meter-wrap", "meter-backwards", "meter-jump"})
"""Notices of a meter's accident: after one its register may stand anywhere."""

_CHECKS: dict[type | None, Callable[[Audit, Record, Any], None]] = {
    EpochOpened: Audit._epoch,
    GrantAccepted: Audit._grant,
    SessionOpened: Audit._opened,
    SessionExtended: Audit._extended,
    SessionHeld: Audit._held,
    SessionClosed: Audit._closed,
    SessionVoided: Audit._voided,
    TotalizersRead: Audit._totalizers,
    DayClosed: Audit._day,
    ConfigApplied: Audit._config,
    Notice: Audit._notice,
    EpochClosed: Audit._epoch_closed,
    CounterTicked: Audit._ticked,
    AccountActed: Audit._act,
    **audit_fuel.CHECKS,
    **audit_port.CHECKS,
    **audit_swap.CHECKS,
}
