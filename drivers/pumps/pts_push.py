"""What does the daemon say to sales that a controller uploads by itself? Pure: a body in; new sales and a body out.

Polling alone suffices. A controller that is set to upload repeats a sale until it hears OK. One that is known already
gets its OK and is not told again: its key is the controller, the pump, the number and the instant of its end
(numbers begin again after 65,535).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from drivers.pump import Sale
from drivers.pumps.pts_says import sale_of_record
from protocols.fieldbus.jsonpts import Answer, Answerer, Done
from protocols.fieldbus.jsonpts_errors import Code, Malformed, Refusal
from protocols.fieldbus.jsonpts_packets import UploadPumpTransaction

KNOWN_MAX: Final = 2_000  # sales remembered, some days of a busy station; older ones are known by the journal


@dataclass(frozen=True, slots=True)
class Uploaded:
    """One sale as a controller pushed it. ended_at: the controller's local time, without zone. offline: sold alone."""

    pts_id: str
    pump: int
    sale: Sale
    ended_at: str
    offline: bool


class Uploads:
    """Receives envelopes of UploadPumpTransaction. Keep one for each door that controllers push to."""

    def __init__(self, known_max: int = KNOWN_MAX) -> None:
        self._known_max = known_max
        self._known: OrderedDict[tuple[str, int, int | None, str], None] = OrderedDict()
        self._answerer = Answerer()

    def receive(self, body: bytes) -> tuple[list[Uploaded], bytes]:
        """What is new, and the answer. Store what is new durably before sending the answer; then call `stored`.

        Raises Malformed for what is no envelope. A packet that cannot be read is refused, so that it comes again.
        """
        self._answerer.peer_id = None
        heard = self._answerer.receive(body)
        pts_id = self._answerer.peer_id
        if pts_id is None:
            raise Malformed("PtsId: expected the controller's id, got none")
        new: dict[tuple[str, int, int | None, str], Uploaded] = {}
        answers: list[Answer] = []
        for asked in heard:
            if not isinstance(asked.question, UploadPumpTransaction):
                answers.append(asked.refusal or Refusal.of(Code.NOT_FOUND))
                continue
            try:
                upload = _uploaded(pts_id, asked.question)
            except Malformed as error:
                answers.append(Refusal(int(Code.INVALID_JSON_REQUEST), str(error)[:200]))
                continue
            answers.append(Done())
            if _key(upload) not in self._known:
                new.setdefault(_key(upload), upload)
        return list(new.values()), self._answerer.answer(list(zip(heard, answers, strict=True)))

    def stored(self, uploads: list[Uploaded]) -> None:
        """They need not be told again. The oldest beyond the limit are forgotten."""
        for upload in uploads:
            self._known[_key(upload)] = None
        while len(self._known) > self._known_max:
            self._known.popitem(last=False)


def _uploaded(pts_id: str, packet: UploadPumpTransaction) -> Uploaded:
    return Uploaded(pts_id, packet.pump, sale_of_record(packet), packet.date_time, bool(packet.is_offline))


def _key(upload: Uploaded) -> tuple[str, int, int | None, str]:
    return upload.pts_id, upload.pump, upload.sale.number, upload.ended_at
