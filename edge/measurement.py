"""A filling, a swap or a session at a port is about to be closed: its measurement is signed, and put into that record.

As with `meter_record`, one that cannot be made never keeps a session open: it is closed without, and a notice says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from edge.meter_record import MISSING
from edge.till.state import OpenFilling, OpenPort, TillState
from edge.till.state_shop import OpenSwap
from protocols.proof import measurement
from protocols.proof.errors import Unproven
from protocols.proof.measured import Told, measured
from protocols.proof.measurement import Plate
from protocols.proof.ocmf import Signer
from protocols.trade.records import Draft, Notice, Stamp
from protocols.trade.records_fuel import FillingClosed
from protocols.trade.records_pack import SwapClosed
from protocols.trade.records_port import PortClosed


@dataclass(frozen=True, slots=True)
class MeasurementRecorder:
    """Who signs for this box, with its device key. version: of the software. plates: by device, where known."""

    signer: Signer
    version: str
    plates: Mapping[str, Plate] = field(default_factory=dict)

    def complete(
        self, drafts: Sequence[Draft], state: TillState, session: OpenFilling | OpenSwap | OpenPort, now: Stamp
    ) -> Sequence[Draft]:
        """What `settle` decided, with the signed measurement in the closing record, which is the first. Where nothing
        was handed over there is none.
        """
        closing, *others = drafts
        body = closing.body
        if not isinstance(body, FillingClosed | SwapClosed | PortClosed):
            return drafts
        told = measured(Told(state.site, state.epoch, session.seq, session.stamp, session.opened, body, now))
        if told is None:
            return drafts
        board = told.device.rpartition(".")[0]  # a port's plate is that of its board
        plate = self.plates.get(told.device) or self.plates.get(board) or Plate()
        payload = measurement.build(told, state.measurements + 1, plate, self.version)
        try:
            text = measurement.signed(payload, self.signer)
            measurement.verified(text, self.signer.public)  # a key in hardware can fail silently
        except (OSError, Unproven) as error:
            return (*drafts, Draft(Notice(MISSING, str(session.seq), f"the device key did not sign: {error}")))
        return (Draft(replace(body, meter_record=text), closing.moves), *others)
