"""A filling is about to be closed: its measurement is signed by the device key, and put into the closing record.

As with `meter_record`, one that cannot be made never keeps a filling open: it is closed without, and a notice says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from edge.meter_record import MISSING
from edge.till.state import OpenFilling, TillState
from protocols.proof import fuel_record
from protocols.proof.errors import Unproven
from protocols.proof.fuel_record import Filling, PumpPlate
from protocols.proof.ocmf import Signer
from protocols.trade.records import Draft, Notice, Stamp
from protocols.trade.records_fuel import FillingClosed


@dataclass(frozen=True, slots=True)
class FuelRecorder:
    """Who signs for this box. version: of the software. plates: by pump, where known."""

    signer: Signer
    version: str
    plates: Mapping[str, PumpPlate] = field(default_factory=dict)

    def complete(self, drafts: Sequence[Draft], state: TillState, filling: OpenFilling, now: Stamp) -> Sequence[Draft]:
        """What `settle` decided, with the signed measurement in the closing record. A voided filling gets none."""
        closing, *others = drafts
        body = closing.body
        if not isinstance(body, FillingClosed):
            return drafts
        told = Filling(state.site, state.epoch, filling.seq, filling.stamp, filling.opened, body, now)
        plate = self.plates.get(filling.opened.pump, PumpPlate())
        payload = fuel_record.build(told, state.measurements + 1, plate, self.version)
        try:
            text = fuel_record.signed(payload, self.signer)
            fuel_record.verified(text, self.signer.public)  # a key in hardware can fail silently
        except (OSError, Unproven) as error:
            return (*drafts, Draft(Notice(MISSING, str(filling.seq), f"the device key did not sign: {error}")))
        return (Draft(replace(body, meter_record=text), closing.moves), *others)
