"""Does a session's signed meter record hold, and does it say what the log says?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec

from protocols.proof import fuel_record, ocmf
from protocols.proof.errors import Malformed, Unproven
from protocols.proof.keys import device_public_from_spki
from protocols.proof.ocmf_lint import Weight, continuity
from protocols.proof.ocmf_session import Session, disagreements
from protocols.trade.audit_bill import Fault


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


def fuel_record_faults(text: str, page: int, device_key: bytes, filling: fuel_record.Filling) -> Iterator[Fault]:
    """As above, of a filling's signed measurement."""
    try:
        record = fuel_record.verified(text, _public(device_key))
    except Unproven as error:
        yield "meter-record", error.what, error.expected, error.got
        return
    for said in fuel_record.disagreements(record, filling, page):
        yield "meter-record", f"signed measurement T{page}", "what the log says", said


@lru_cache(maxsize=8)
def _public(device_key: bytes) -> ec.EllipticCurvePublicKey:
    if not device_key:
        raise Malformed("device key", expected="the one that record 0 names", got="none")
    return device_public_from_spki(device_key)
