"""With which key, and under which names, does this box sign its meter records?"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from edge.config import Config
from edge.enrolment import SOFTWARE
from edge.keys import KeyRing, KeyUnusable
from edge.measurement import MeasurementRecorder
from edge.meter_record import MeterRecorder
from edge.premises import meter_plates
from protocols.proof.measurement import Plate
from protocols.proof.ocmf import Signer, SoftwareSigner

log = structlog.get_logger()


def recorder_of(config: Config, ring: KeyRing) -> MeterRecorder:
    """The box's own. Without a usable device key it sells on, and with every closed session a notice says so."""
    evse_ids = {connector.id: connector.evse_id for connector in config.connector if connector.evse_id}
    return MeterRecorder(_signer(ring), SOFTWARE.rpartition(" ")[2], meter_plates(config), evse_ids)


def measurement_recorder_of(config: Config, ring: KeyRing) -> MeasurementRecorder:
    """As above, for fillings, swaps and ports."""
    serials = {pump.id: pump.serial for pump in config.pump} | {one.id: one.serial for one in config.cabinet}
    serials |= {board.id: board.serial for board in config.port_board}
    plates = {name: Plate(serial=serial or "") for name, serial in serials.items()}
    return MeasurementRecorder(_signer(ring), SOFTWARE.rpartition(" ")[2], plates)


def _signer(ring: KeyRing) -> Signer:
    try:
        return SoftwareSigner(ring.device())
    except KeyUnusable as error:
        log.error("meter records cannot be signed", why=error.what, remedy=error.remedy)
        return _NoSigner(error.what)


@dataclass(frozen=True, slots=True)
class _NoSigner:
    """In the place of a device key that cannot be used."""

    why: str

    @property
    def public(self) -> ec.EllipticCurvePublicKey:
        raise OSError(self.why)

    def sign(self, message: bytes) -> bytes:
        raise OSError(self.why)
