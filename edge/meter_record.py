"""A session is about to be closed: its meter record is made, linted, signed, and put into the closing record.

That is the moment for it: the bill is known, nothing has been written yet, and both go into one commit. A record that
cannot be made never keeps a customer's session open: the sale is closed without, and a notice says why. One whose end
reading is in doubt is signed with the meter's honest status, so that no verifier takes it for good, and a notice calls
a person.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from edge.till.progress import Progress
from edge.till.state import OpenSession, TillState
from protocols.proof import ocmf
from protocols.proof.errors import Unproven
from protocols.proof.ocmf import Signer
from protocols.proof.ocmf_lint import Weight, lint
from protocols.proof.ocmf_session import Plate, Session, payload_of
from protocols.trade.records import Draft, Notice, SessionClosed, Stamp
from protocols.trade.tariff import Tariff

MISSING, DISPUTED = "meter-record-missing", "meter-record-disputed"
SILENT = "meter-silent"
"""The finding of a session whose meter gave no reading after delivery ended: it is settled at the last one before."""


@dataclass(frozen=True, slots=True)
class MeterRecorder:
    """Who signs for this box. version: of the software. plates: by meter; evse_ids: by connector; both where known."""

    signer: Signer
    version: str
    plates: Mapping[str, Plate] = field(default_factory=dict)
    evse_ids: Mapping[str, str] = field(default_factory=dict)

    def complete(
        self,
        drafts: Sequence[Draft],
        state: TillState,
        session: OpenSession,
        progress: Progress,
        now: Stamp,
        tariff: Tariff,
    ) -> Sequence[Draft]:
        """What `settle` decided, with the meter record in the closing record and a notice where one is called for.

        A voided session has delivered nothing, and gets none.
        """
        closing, *others = drafts
        body = closing.body
        if not isinstance(body, SessionClosed):
            return drafts
        told = Session(state.site, state.epoch, session.seq, session.stamp, session.opened, body, now)
        finding, status = _doubt(progress, now)
        payload = payload_of(
            told, state.meter_records + 1, tariff, self._plate(session), self.version,
            end_status=status, finding=finding,
        )  # fmt: skip
        text, trouble = self._sign(ocmf.build(payload))
        closed = Draft(replace(body, meter_record=text), closing.moves)
        if not trouble:
            return (closed, *others)
        return (closed, Draft(Notice(MISSING if text is None else DISPUTED, str(session.seq), trouble)), *others)

    def _plate(self, session: OpenSession) -> Plate:
        plate = self.plates.get(session.opened.begin.meter, Plate())
        return dataclasses.replace(plate, evse_id=self.evse_ids.get(session.opened.connector, ""))

    def _sign(self, payload: str) -> tuple[str | None, str]:
        """The record, and what a person should know of it: why there is none, or why it is disputed."""
        findings = lint(payload)
        broken = [str(one) for one in findings if one.weight is Weight.BROKEN]
        if broken:
            return None, "; ".join(broken)
        try:
            text = ocmf.sign(payload, self.signer)
            ocmf.verify(
                text, self.signer.public
            )  # a key in hardware can fail silently, and a bad record stays for ever
        except (OSError, Unproven) as error:
            return None, f"the device key did not sign: {error}"
        return text, "; ".join(map(str, findings))


def _doubt(progress: Progress, now: Stamp) -> tuple[str, str]:
    """What is wrong with the end reading, and the meter's status for it; "" and G when all is well.

    After a finding the last good register stands in for what the meter shows now: a substitute (S). A meter that has
    not been read since delivery ended did not answer (T).
    """
    if progress.finding is not None:
        return progress.finding, "S"
    ended_ms = progress.stopping_ms if progress.off_ms is None else progress.off_ms
    read_since = progress.boot == now.boot and (ended_ms is None or progress.register.mono_ms >= ended_ms)
    return ("", "G") if read_since else (SILENT, "T")
