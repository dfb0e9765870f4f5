"""What does headquarters answer a site? One signed request in, one encoded struct out; no sockets, no threads."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from cloud import admission, commands, documents, epochs, evidence, forks, grants, hqlog, plans, schema, shares
from cloud.clock import Clock
from cloud.ingest import Ingested, ingest
from cloud.keys import HqKeys, KeyFiles
from cloud.refusal import STATUS, Refuse
from cloud.store import reading, writing
from protocols.door import Refused
from protocols.proof import receipt_file
from protocols.trade import wire
from protocols.trade.codec import NotCanonical, Wire, decode, encode
from protocols.trade.wire import (
    BEHIND,
    BatchReply,
    DocumentAsk,
    EnrolAsk,
    GrantAsk,
    GrantReply,
    Refusal,
    RefusalCode,
)

W = TypeVar("W", bound=Wire)

EVIDENCE_BYTES_MAX = 64 * 1024
"""Greatest receipt file taken: one has some 10 kB."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. body: as sent; deflated: its Content-Encoding. Enrolment names no site, epoch 0."""

    path: str
    body: bytes
    deflated: bool = False
    site: str = ""
    epoch: int = 0
    signature: str = ""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Answer:
    """status: HTTP's. outcome: `ok` or why not. new: records taken in. news: sites with something waiting."""

    status: int
    body: bytes
    outcome: str = "ok"
    new: int = 0
    news: frozenset[str] = frozenset()


class Headquarters:
    """Answers sites, one request at a time or several at once; the database keeps their order."""

    def __init__(self, engine: sa.Engine, keys: HqKeys | KeyFiles, clock: Clock) -> None:
        self.engine = engine
        self._keys = keys
        self.clock = clock
        self._paths: dict[str, Callable[[Request], Answer]] = {
            wire.PATH_ENROL: self._enrol,
            wire.PATH_BATCH: self._batch,
            wire.PATH_GRANT: self._grant,
            wire.PATH_DOCUMENT: self._document,
            wire.PATH_EVIDENCE: self._evidence,
        }

    @property
    def keys(self) -> HqKeys:
        """Those in use now: ask inside the transaction that signs."""
        return self._keys.current()

    def answer(self, request: Request) -> Answer:
        """Refusals are answers; what is raised is a fault of this software or of the database."""
        try:
            handle = self._paths.get(request.path)
            if handle is None:
                expected = ", ".join(self._paths)
                raise Refuse(RefusalCode.NOT_FOUND, "path", expected=expected, got=request.path[:100])
            return handle(request)
        except Refuse as error:
            return _refused(error.refusal)

    def _enrol(self, request: Request) -> Answer:
        ask = _read(_inflate(request), EnrolAsk)
        with writing(self.engine) as connection:
            reply = admission.enrol(connection, self.keys, self.clock, ask)
        with writing(self.engine) as connection:  # a new epoch begins with nothing
            expected = grants.expected_at(connection, ask.site)
            news = grants.place(connection, self.keys, self.clock, expected)
            news |= plans.place_at(connection, self.keys, self.clock, ask.site)
            news |= shares.deposits_at(connection, self.keys, self.clock, ask.site)
        return Answer(200, encode(reply), news=frozenset(news - {ask.site}))

    def _batch(self, request: Request) -> Answer:
        with reading(self.engine) as connection:
            head = self._authenticate(connection, request)
        body = _inflate(request)
        with writing(self.engine) as connection:
            taken = ingest(connection, self.keys, head.id, body, self.clock)
        if isinstance(taken, Refusal):
            return _refused(taken)
        news = self._provide(head, taken)
        with reading(self.engine) as connection:
            reply = self._batch_reply(connection, head.id, taken)
        return Answer(200, encode(reply), new=taken.new, news=frozenset(news - {head.site}))

    def _provide(self, head: sa.Row[Any], taken: Ingested) -> set[str]:
        """Refill the allowances of those who were served, and sign old grants anew; the sites with new grants.

        Apart from the ingest: what was sold is acknowledged whatever becomes of this. What a site gave back it had no
        reason to keep, so that alone brings no allowance.
        """
        with writing(self.engine) as connection:
            grants.refresh(connection, self.keys, self.clock, head.id)
            if not taken.served:
                return set()
            hqlog.lock(connection)  # before the visits, as whoever asks for a grant does
            grants.note_visits(connection, head.site, taken.served, self.clock.now_ms())
            return grants.place(connection, self.keys, self.clock, taken.served)

    def _batch_reply(self, connection: sa.Connection, log: int, taken: Ingested) -> BatchReply:
        now_ms = self.clock.now_ms()
        head = connection.execute(_HEAD, {"log": log}).one()
        return BatchReply(
            cosigned=taken.cosigned,
            grants=grants.pending(connection, log) if head.state == epochs.OPEN else [],
            documents=documents.in_force(connection, head.site),
            commands=commands.waiting(connection, head.site, head.boot or b"", now_ms),
            time_ms=now_ms,
        )

    def _grant(self, request: Request) -> Answer:
        with writing(self.engine) as connection:
            head = self._authenticate(connection, request)
            ask = _read(_inflate(request), GrantAsk)
            shown = forks.look_at(connection, self.keys, self.clock, head, ask.checkpoint)
            if isinstance(shown, Refusal):
                return _refused(shown)  # what was found out stays
            if shown.size < head.size and head.state == epochs.OPEN:
                reply = GrantReply(b"", BEHIND, head.size)
            else:
                reply = grants.answer(connection, self.keys, self.clock, head, ask)
        return Answer(200, encode(reply), outcome=reply.refusal or "ok")

    def _document(self, request: Request) -> Answer:
        with reading(self.engine) as connection:
            head = self._authenticate(connection, request)
            reply = documents.answer(connection, self.keys, head.site, _read(_inflate(request), DocumentAsk))
        return Answer(200, encode(reply))

    def _evidence(self, request: Request) -> Answer:
        """Nobody signs this; what it says is proven by itself. In JSON, both ways."""
        try:
            if len(request.body) > EVIDENCE_BYTES_MAX:
                expected = f"at most {EVIDENCE_BYTES_MAX} bytes"
                raise Refuse(RefusalCode.TOO_LARGE, "receipt", expected=expected, got=str(len(request.body)))
            try:
                shown = receipt_file.parse(request.body, source="receipt")
            except Refused as error:
                raise Refuse(RefusalCode.UNREADABLE, "receipt", expected="a receipt file", got=str(error)) from None
            with writing(self.engine) as connection:
                state = evidence.add(connection, self.keys, self.clock, shown)
        except Refuse as error:
            said = msgspec.json.encode(msgspec.structs.asdict(error.refusal))
            return Answer(STATUS[RefusalCode(error.refusal.code)], said, outcome=error.refusal.code)
        return Answer(200, msgspec.json.encode({"state": state}), outcome=state)

    def _authenticate(self, connection: sa.Connection, request: Request) -> sa.Row[Any]:
        return admission.authenticate(
            connection, request.method, request.path, request.site, request.epoch, request.signature, request.body
        )


_HEAD = sa.select(schema.epochs).where(schema.epochs.c.id == sa.bindparam("log"))


def _refused(refusal: Refusal) -> Answer:
    return Answer(STATUS[RefusalCode(refusal.code)], encode(refusal), outcome=refusal.code)


def _inflate(request: Request) -> bytes:
    """The body as encoded, at most BATCH_BYTES_MAX of it. Raises Refuse."""
    most = wire.BATCH_BYTES_MAX
    if len(request.body) > most:
        raise Refuse(RefusalCode.TOO_LARGE, "body", expected=f"at most {most} bytes", got=str(len(request.body)))
    if not request.deflated:
        return request.body
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(request.body, most + 1)
    except zlib.error as error:
        raise Refuse(RefusalCode.UNREADABLE, "body", expected="zlib", got=str(error)) from None
    if len(body) > most:
        raise Refuse(RefusalCode.TOO_LARGE, "inflated body", expected=f"at most {most} bytes", got="more")
    if not inflater.eof or inflater.unused_data:
        raise Refuse(RefusalCode.UNREADABLE, "body", expected="one whole zlib stream", got="less, or more after it")
    return body


def _read(body: bytes, into: type[W]) -> W:
    try:
        value = decode(body, into)
    except NotCanonical as error:
        raise Refuse(RefusalCode.UNREADABLE, "body", expected=into.__name__, got=str(error)) from None
    if any(isinstance(field, str) and "\x00" in field for field in msgspec.structs.astuple(value)):
        raise Refuse(RefusalCode.UNREADABLE, "body", expected="names without NUL characters", got="one")
    return value
