"""How do a host and a PTS-2 controller talk? jsonPTS: one envelope of questions, one of answers, over HTTP.

    POST /jsonPTS  {"Protocol": "jsonPTS", "Packets": [{"Id": 1, "Type": "PumpGetStatus", "Data": {"Pump": 1}}]}
    200            {"Protocol": "jsonPTS", "Packets": [{"Id": 1, "Type": "PumpIdleStatus", "Data": {"Pump": 1, ...}}]}

An answer has the Id of its question. A refusal has `"Error": true`, a code and a message; success without data has the
message OK. `Asker` is the host (or, with uploads, the controller); `Answerer` is the other side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

import msgspec

from protocols.fieldbus.jsonpts_errors import Code, Malformed, Refusal
from protocols.fieldbus.jsonpts_packets import (
    ANSWERS,
    QUESTIONS,
    REPORT,
    Packet,
    PumpTransactionRecord,
)

T = TypeVar("T")

PROTOCOL: Final = "jsonPTS"
PATH: Final = "/jsonPTS"
REALM: Final = "Pts2WebServer"
OK: Final = "OK"

BODY_MAX: Final = 1_048_576  # a report of 3,000 sales; everything else is a few kB
DEPTH_MAX: Final = 12  # nothing in jsonPTS is deeper than 6
PACKETS_MAX: Final = 400  # four questions to each of 100 pumps
ID_MAX: Final = 2_147_483_647

_MARKS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)

_NO_DATA: Final = msgspec.Raw()


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """A packet before its Data is read."""

    id: Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]
    type: Annotated[str, msgspec.Meta(max_length=64)]
    data: msgspec.Raw = _NO_DATA
    error: bool | None = None
    code: int | None = None
    message: Annotated[str, msgspec.Meta(max_length=256)] | None = None


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """The whole message. error, code, message: the controller refuses all of it, and gives no packets."""

    protocol: str
    pts_id: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    packets: Annotated[list[_Wire], msgspec.Meta(max_length=PACKETS_MAX)] | None = None
    error: bool | None = None
    code: int | None = None
    message: Annotated[str, msgspec.Meta(max_length=256)] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Success without data."""


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to ReportGetPumpTransactions, in the controller's order."""

    records: tuple[PumpTransactionRecord, ...]


Answer = Packet | Done | Report | Refusal

_BY_NAME: Final = {question.__name__: question for question in QUESTIONS}
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class Asker:
    """Numbers questions and gives each its answer. One envelope at a time: the answers to one, then the next."""

    def __init__(self, pts_id: str | None = None) -> None:
        """pts_id: sent along when given; a controller that uploads says which one it is."""
        self.pts_id = pts_id
        self.peer_id: str | None = None  # what the other side calls itself
        self._id = 0
        self._asked: dict[int, Packet] = {}

    def ask(self, questions: Sequence[Packet]) -> bytes:
        """The body that asks all of them. Questions that were not answered are forgotten."""
        assert 0 < len(questions) <= PACKETS_MAX
        self._asked = {}
        packets = []
        for question in questions:
            self._id = self._id % ID_MAX + 1
            self._asked[self._id] = question
            packets.append(_wire(self._id, type(question).__name__, question))
        return _ENCODER.encode(_Envelope(protocol=PROTOCOL, pts_id=self.pts_id, packets=packets))

    def receive(self, body: bytes) -> list[Answer]:
        """The answers in the order of the questions. Raises Malformed when one is missing or not what was asked."""
        asked, self._asked = self._asked, {}
        envelope = _open(body)
        self.peer_id = envelope.pts_id or self.peer_id
        if envelope.packets is None:
            if envelope.error:
                return [Refusal(envelope.code, envelope.message or "")] * len(asked)
            raise Malformed("expected Packets, got none")
        answers: dict[int, Answer] = {}
        for packet in envelope.packets:
            question = asked.get(packet.id)
            if question is None or packet.id in answers:
                raise Malformed(f"packet {packet.id}: expected an Id of a question still open, got {packet.type}")
            answers[packet.id] = _read_answer(packet, question)
        missing = [number for number in asked if number not in answers]
        if missing:
            raise Malformed(f"expected an answer to packet {missing[0]}, got {len(answers)} of {len(asked)} answers")
        return [answers[number] for number in asked]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as it arrived. question: None: it is refused with `refusal` before anybody looks at it."""

    id: int
    name: str
    question: Packet | None
    refusal: Refusal | None = None


class Answerer:
    """Reads questions and writes the answers to them."""

    def __init__(self, pts_id: str | None = None) -> None:
        self.pts_id = pts_id
        self.peer_id: str | None = None  # what the asking side calls itself

    def receive(self, body: bytes) -> list[Asked]:
        """Every question, also those that can only be refused. Raises Malformed for what is no envelope at all."""
        envelope = _open(body)
        self.peer_id = envelope.pts_id or self.peer_id
        return [_read_question(packet) for packet in envelope.packets or ()]

    def answer(self, answers: Sequence[tuple[Asked, Answer]]) -> bytes:
        """The body that answers, in this order."""
        packets = [_write_answer(asked, answer) for asked, answer in answers]
        return _ENCODER.encode(_Envelope(protocol=PROTOCOL, pts_id=self.pts_id, packets=packets))

    def refuse(self, refusal: Refusal) -> bytes:
        """The body that refuses a whole envelope."""
        return _ENCODER.encode(_Envelope(protocol=PROTOCOL, error=True, code=refusal.code, message=refusal.message))


def _open(body: bytes) -> _Envelope:
    if len(body) > BODY_MAX:
        raise Malformed(f"expected at most {BODY_MAX} bytes, got {len(body)}")
    depth = 0
    for mark in _MARKS.finditer(body):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(mark[0], 0)
        if depth > DEPTH_MAX:
            raise Malformed(f"expected at most {DEPTH_MAX} levels, got more")
    try:
        envelope = _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # ValidationError is a DecodeError
        raise Malformed(str(error)) from None
    if envelope.protocol != PROTOCOL:
        raise Malformed(f"Protocol: expected {PROTOCOL}, got {envelope.protocol[:40]!r}")
    return envelope


def _read_answer(packet: _Wire, question: Packet) -> Answer:
    if packet.error:
        return Refusal(packet.code, packet.message or "")
    wanted = ANSWERS.get(type(question))
    if wanted is None:
        return Done()
    if packet.type == REPORT and PumpTransactionRecord in wanted:
        return Report(tuple(_data(packet, list[PumpTransactionRecord])))
    for answer in wanted:
        if answer.__name__ == packet.type:
            read = _data(packet, answer)
            if getattr(read, "pump", None) != getattr(question, "pump", None):
                raise Malformed(f"packet {packet.id}: expected an answer for the pump that was asked, got another's")
            return read
    raise Malformed(f"packet {packet.id}: expected an answer to {type(question).__name__}, got {packet.type}")


def _read_question(packet: _Wire) -> Asked:
    kind = _BY_NAME.get(packet.type)
    if kind is None:
        return Asked(packet.id, packet.type, None, Refusal.of(Code.NOT_FOUND))
    try:
        return Asked(packet.id, packet.type, _data(packet, kind))
    except Malformed:
        return Asked(packet.id, packet.type, None, Refusal.of(Code.INVALID_JSON_REQUEST))


def _data(packet: _Wire, into: type[T]) -> T:
    try:
        return msgspec.json.decode(b"{}" if bytes(packet.data) in (b"", b"null") else packet.data, type=into)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"packet {packet.id}, {packet.type}: {error}") from None


def _write_answer(asked: Asked, answer: Answer) -> _Wire:
    if isinstance(answer, Refusal):
        return _Wire(id=asked.id, type=asked.name, error=True, code=answer.code, message=answer.message)
    if isinstance(answer, Done):
        return _Wire(id=asked.id, type=asked.name, message=OK)
    if isinstance(answer, Report):
        return _wire(asked.id, REPORT, list(answer.records))
    return _wire(asked.id, type(answer).__name__, answer)


def _wire(number: int, name: str, data: object) -> _Wire:
    encoded = _ENCODER.encode(data)
    return _Wire(id=number, type=name, data=_NO_DATA if encoded == b"{}" else msgspec.Raw(encoded))
