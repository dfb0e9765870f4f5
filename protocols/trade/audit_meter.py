"""Does a session's signed meter record or measurement hold, and does it say what the log says?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec

from protocols.proof import measurement, ocmf
from protocols.proof.errors import Malformed, Unproven
from protocols.proof.keys import device_public_from_spki
from protocols.proof.measured import MeasuredClosed, Told, measured
from protocols.proof.ocmf_lint import Weight, continuity
from protocols.proof.ocmf_session import Session, disagreements
from protocols.trade.audit_bill import Fault
from protocols.trade.audit_trail import AnyRunning, Auditor, Running, RunningStay
from protocols.trade.records import Record


def meter_record_faults(text: str, page: int, device_key: bytes, session: Session) -> Iterator[Fault]:
    """page: the number that this record must have in the log. device_key: SubjectPublicKeyInfo of the box's key.

    What is disputed (a silent meter, an end register in doubt) is no fault: it is an honest record of one.
    """
    try:
        record = ocmf.verify(text, _public(device_key))
    except Unproven as error:
        yield "meter-record", error.what, error.expected, error.got
        return
    for found in (*continuity([record], first_page=page), *disagreements(record, session, page)):
        if found.weight is Weight.BROKEN:
            yield (
                "meter-record",
                f"meter record, {found.where}",
                f"one that keeps the rule `{found.rule}`",
                found.detail,
            )


def measurement_faults(text: str, page: int, device_key: bytes, told: Told) -> Iterator[Fault]:
    """As above, of the signed measurement of a filling, a swap or a session at a port."""
    meant = measured(told)
    if meant is None:
        yield "meter-record", f"signed measurement T{page}", "none: nothing was handed over", "one"
        return
    try:
        record = measurement.verified(text, _public(device_key))
    except Unproven as error:
        yield "meter-record", error.what, error.expected, error.got
        return
    for said in measurement.disagreements(record, meant, page):
        yield "meter-record", f"signed measurement T{page}", "what the log says", said


def check_measurement(audit: Auditor, record: Record, body: MeasuredClosed, running: AnyRunning | None) -> None:
    """The signed measurement of a closing record, where it has one. running: the session that it ends."""
    if body.meter_record is None:
        return
    trail = audit.trail
    trail.measurements += 1
    audit.tally.meter_records += 1
    if running is None or isinstance(running, Running | RunningStay):
        return
    told = Told(audit.site, audit.epoch, body.session, running.stamp, running.opened, body, closed_at=record.stamp)
    for fault in measurement_faults(body.meter_record, trail.measurements, trail.device_key, told):
        audit.find(*fault)


@lru_cache(maxsize=8)
def _public(device_key: bytes) -> ec.EllipticCurvePublicKey:
    if not device_key:
        raise Malformed("device key", expected="the one that record 0 names", got="none")
    return device_public_from_spki(device_key)
