"""Every door through which bytes come in from outside, what it may raise, and honest bytes to damage."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from board_lines import BOARD_LINES
from charge_lines import CHARGE_LINES
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st
from pack_lines import PACK_LINES
from reader_lines import READER_LINES
from values import encoded, kinds

import edge.config
from cloud.refusal import Refuse
from cloud.service import Request, _inflate
from drivers import profile_load
from drivers.pumps.pts_push import Uploads
from drivers.pumps.pts_view import PtsView
from edge.page.exchange import Intake, Unreadable
from edge.panel.messages import Ask
from edge.panel.verbs import VERBS
from edge.sync import trust
from edge.sync.client import HttpAnswer, read
from edge.sync.errors import HqError
from protocols.door import Refused, toml_table
from protocols.fieldbus import jsonpts_errors
from protocols.fieldbus.jsonpts import Asker
from protocols.proof import checkpoint, keys, measurement, note, ocmf, reader_keys, receipt_file, statement
from protocols.proof.checkpoint import Checkpoint
from protocols.proof.errors import Malformed, Unproven
from protocols.proof.keys import LogKeyCertificate
from protocols.proof.measured import Told, measured
from protocols.proof.note import Note, VerifierKey
from protocols.proof.receipt import Receipt
from protocols.proof.tree import Frontier
from protocols.trade import (
    base45,
    carried,
    fuel_prices,
    fuel_prices_file,
    fuel_terms,
    fuel_terms_file,
    grants,
    hotlist,
    wire,
)
from protocols.trade.carried import BadCode
from protocols.trade.codec import NotCanonical, Wire, decode, encode
from protocols.trade.fuel_prices import PriceList
from protocols.trade.fuel_terms import FuelTerms
from protocols.trade.grants import SIGNATURE_BYTES, Grant
from protocols.trade.hotlist import BadHotList
from protocols.trade.records import BODIES, Record, body_of
from protocols.trade.tariff import Offset
from protocols.trade.wire import BatchReply
from tests.protocols.proof import filled
from tests.protocols.proof.filled import FILLED, PRICES
from tests.protocols.proof.sold import SEQ, stamp

ROOT = Path(__file__).parents[2]
LOG_KEY, HQ_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
DEVICE_KEY = ec.derive_private_key(7, ec.SECP256R1())
ORIGIN = keys.origin("S1", 1)
CERTIFICATE = keys.certify_log_key(DEVICE_KEY, "S1", 1, LOG_KEY.public_key().public_bytes_raw()).to_bytes()
HEAD = checkpoint.sign_checkpoint(Checkpoint(ORIGIN, 9, bytes(range(32))), LOG_KEY)
COSIGNED = checkpoint.cosign(HEAD, HQ_KEY, "hq/cosign", 1_777_590_000)
VKEY = str(VerifierKey("hq/cosign", note.SignatureType.COSIGNATURE_V1, HQ_KEY.public_key().public_bytes_raw()))
GRANT_KEY = VerifierKey("hq/grant", note.SignatureType.ED25519, HQ_KEY.public_key().public_bytes_raw())
PINNED = trust.HqKeys(GRANT_KEY, VerifierKey.parse(VKEY))
KEY_FILE = f"{GRANT_KEY}\n# ours\n{VKEY}\n".encode()
RECEIPT = Receipt(3, (bytes(32), bytes(range(32))), COSIGNED, CERTIFICATE).to_bytes()
SPKI = keys.spki(DEVICE_KEY.public_key())


@dataclass(frozen=True)
class Decoder:
    """name: for people. may_raise: what is declared. back: the bytes of a value, where it has one encoding.

    honest_is_taken: False where what comes in honestly is a refusal itself.
    """

    name: str
    decode: Callable[[bytes], Any]
    may_raise: tuple[type[Exception], ...]
    honest: st.SearchStrategy[bytes]
    back: Callable[[Any], bytes] | None = None
    honest_is_taken: bool = True


def _text(data: bytes) -> str:
    """Bytes as a program hands on text: whatever is not UTF-8 stands for itself, as in file names and arguments."""
    return data.decode("utf-8", "surrogateescape")


def _record(data: bytes) -> Record:
    record = decode(data, Record)
    body_of(record)
    return record


def _carried_back(code: carried.Carried) -> bytes:
    start = b"" if code.start is None else encode(code.start) + code.start_signature
    return carried.write(code.grant_bytes, start).encode()


def _panel(line: bytes) -> object:
    ask = msgspec.json.decode(line, type=Ask)
    into = VERBS[ask.verb][0] if ask.verb in VERBS else VERBS["status"][0]
    return msgspec.convert(ask.args, into)


def _pts_answer(data: bytes) -> object:
    """As the driver reads it, down to states and sales."""
    view, asker = PtsView(1), Asker()
    questions = view.questions()
    asker.ask(questions)
    view.take(questions, asker.receive(data), 0)
    return view.sales()


def _measurement(data: bytes) -> object:
    """As of a site that signs anything: its form, and what it says other than the log."""
    record = ocmf.parse(_text(data), measurement.TAG)
    filling = measured(Told("shanghai-7", 3, SEQ, stamp(), filled.OPENED, filled.CLOSED, filled.ENDED))
    assert filling is not None
    return list(measurement.disagreements(record, filling, filled.PAGE))


def _statement(data: bytes) -> object:
    return statement.state(receipt_file.parse(data, source="x"), [], [])


def _prices(data: bytes) -> object:
    """What a site does with one: the prices that are due by every clock."""
    listed = decode(data, PriceList)
    return None if fuel_prices.disorder(listed) else fuel_prices.prices_between(listed, -1, None)


def _terms(data: bytes) -> object:
    document = decode(data, FuelTerms)
    return fuel_terms.disorder(document), fuel_terms.terms_of(document, "acc-77", b"")


def _price_file(data: bytes) -> object:
    offsets = [Offset(0, 28_800)]
    table = toml_table(data, source="x")
    return fuel_prices_file.read(table, lambda _: offsets, now_s=1_789_990_000, next_version=1, source="x")


def _terms_file(data: bytes) -> object:
    table = toml_table(data, source="x")
    return fuel_terms_file.read(table, lambda _: True, lambda _, card: card.encode()[:8], next_version=1, source="x")


def _page(data: bytes) -> object:
    intake = Intake()
    intake.receive_data(data)
    intake.due()
    return intake.next_request()


def _in_a_file(load: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    def written_and_loaded(data: bytes) -> object:
        with tempfile.NamedTemporaryFile(prefix="fieldtill-fuzz-") as file:
            file.write(data)
            file.flush()
            return load(Path(file.name))

    return written_and_loaded


def _drawn(kind: type[Wire]) -> st.SearchStrategy[bytes]:
    return encoded(kind)


def _one_of(*samples: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from(samples)


def _files(*patterns: str) -> st.SearchStrategy[bytes]:
    return _one_of(*(path.read_bytes() for pattern in patterns for path in sorted(ROOT.glob(pattern))))


_SIGNED_GRANT = _drawn(Grant).map(lambda data: data + bytes(SIGNATURE_BYTES))
_CODES = st.tuples(_SIGNED_GRANT, st.none() | _drawn(carried.CarriedStart)).map(
    lambda drawn: carried.write(drawn[0], b"" if drawn[1] is None else drawn[1] + bytes(64)).encode()
)
_HOT_LIST = st.builds(
    hotlist.make, st.integers(1, 9), st.integers(0, 9), st.integers(0, 9), st.lists(st.binary(min_size=8, max_size=8))
)


def _with_body(head: bytes, key: tuple[str, int], body: bytes) -> bytes:
    return encode(msgspec.structs.replace(decode(head, Record), kind=key[0], version=key[1], body=body))


_PATCHES = st.builds(
    lambda old, new: hotlist.patch(old, hotlist.make(old.version + 1, 9, old.key_version, new)),
    _HOT_LIST, st.lists(st.binary(min_size=8, max_size=8)),
).map(encode)  # fmt: skip
_RECORDS = st.sampled_from(sorted(BODIES)).flatmap(
    lambda key: st.builds(_with_body, _drawn(Record), st.just(key), _drawn(BODIES[key]))
)
_RECEIPT_FILE = receipt_file.ReceiptFile(
    SPKI,
    tuple(receipt_file.ProvenRecord(b"record", Receipt.parse(RECEIPT)) for _ in range(2)),
    (receipt_file.PinnedDocument("tariff", b"payload"),),
    {"site": "S1", "lines": [1, None, {"a": "b"}]},
).to_bytes()
_METER_PAYLOAD = '{"FV":"1.3","PG":"T1","MS":"M1","RD":[{"TM":"x","RV":1.0}]}'
_METER_RECORD = ocmf.sign(_METER_PAYLOAD, ocmf.SoftwareSigner(DEVICE_KEY)).encode()
_MEASUREMENT = str(filled.CLOSED.meter_record).encode()
_PRICE_FILE = b"""id = "east"
zone = "Asia/Shanghai"
grades = [{ code = "92", name = "92#" }, { code = "0", name = "diesel" }]
[[steps]]
from = "2026-01-01 00:00"
yuan_per_litre = { "92" = "7.85", "0" = "7.50" }
[[steps]]
from = "2026-12-01 00:00:30"
yuan_per_litre = { "92" = "7.9", "0" = "7.55555" }
"""
_TERMS_FILE = b"""version = 3
[[terms]]
account = "fleet-1"
grades = ["0"]
day_litres = "120.5"
[[terms]]
account = "fleet-1"
card = "04A1B2C3"
ask = "odometer"
"""
_HTTP = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /take?lang=en HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\ncode=FT1:",
    b"POST /take HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na=%41\r\n0\r\n\r\n",
)
_PTS_INFO = (
    b'{"Id":2,"Type":"PumpTransactionInformation","Data":{"Pump":1,"Transaction":7,"State":"Finished","Nozzle":1,'
    b'"Volume":1.15,"Price":7.85,"Amount":9.03}}'
)
_PTS_ANSWERS = tuple(
    b'{"Protocol":"jsonPTS","Packets":[{"Id":1,"Type":"%s","Data":%s},%s]}' % (kind, data, _PTS_INFO)
    for kind, data in (
        (b"PumpIdleStatus", b'{"Pump":1,"NozzleUp":1,"LastVolume":5.23,"LastAmount":41.06,"LastTransaction":6}'),
        (b"PumpFillingStatus", b'{"Pump":1,"Nozzle":1,"Volume":2.15,"Price":7.85,"Amount":16.88,"Transaction":7}'),
        (b"PumpEndOfTransactionStatus", b'{"Pump":1,"Nozzle":1,"Volume":2.15,"Amount":16.88,"Transaction":7}'),
        (b"PumpTotals", b'{"Pump":1,"Nozzle":1,"Volume":123456.789,"Amount":987654.32}'),
        (b"PumpPrices", b'{"Pump":1,"Prices":[7.85,8.39,0,0,0,0]}'),
    )
)
_PTS_UPLOAD = (
    b'{"Protocol":"jsonPTS","PtsId":"P","Packets":[{"Id":1,"Type":"UploadPumpTransaction","Data":{"Pump":1,"Nozzle":2,'
    b'"Transaction":7,"Volume":26.72,"Price":7.85,"Amount":209.75,"DateTime":"2026-09-01T06:14:35"}}]}'
)
_PANEL = (
    b'{"verb": "status"}',
    b'{"verb": "start", "args": {"connector": "c1", "card": "A", "preset": "full"}}',
    b'{"verb": "records", "args": {"first": 0, "limit": 1000}}',
)


def _of_the_wire(kind: type[Wire]) -> Decoder:
    name = f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"
    return Decoder(name, lambda data: decode(data, kind), (NotCanonical,), _drawn(kind), encode)


DECODERS = [
    *map(_of_the_wire, kinds()),
    Decoder("a record with its body", _record, (NotCanonical,), _RECORDS, encode),
    Decoder("a signed grant", grants.split, (NotCanonical,), _SIGNED_GRANT),
    Decoder("base45", lambda data: base45.decode(_text(data)), (base45.NotBase45,),
            st.binary().map(base45.encode).map(str.encode), lambda value: base45.encode(value).encode()),
    Decoder("a code shown by a phone", lambda data: carried.read(_text(data)), (BadCode,), _CODES),
    Decoder("a hot list", hotlist.read, (NotCanonical, BadHotList), _HOT_LIST.map(encode), encode),
    Decoder("a patch of a hot list", hotlist.read_patch, (NotCanonical, BadHotList), _PATCHES, encode),
    Decoder("a note", Note.parse, (Malformed,), _one_of(HEAD, COSIGNED), Note.to_bytes),
    Decoder("a checkpoint", checkpoint.parse, (Malformed,), _one_of(HEAD, COSIGNED)),
    Decoder("an acknowledgement", lambda data: trust.check_cosignature(PINNED, data, ORIGIN), (Unproven,),
            _one_of(COSIGNED)),
    Decoder("a vkey", lambda data: VerifierKey.parse(_text(data)), (Malformed,), _one_of(VKEY.encode()),
            lambda key: str(key).encode()),
    Decoder("a receipt's proof", Receipt.parse, (Malformed,), _one_of(RECEIPT), Receipt.to_bytes),
    Decoder("a receipt file", lambda data: receipt_file.parse(data, source="x"), (Refused,), _one_of(_RECEIPT_FILE)),
    Decoder("a log key's certificate", LogKeyCertificate.from_bytes, (Malformed,), _one_of(CERTIFICATE),
            LogKeyCertificate.to_bytes),
    Decoder("a device key", keys.device_public_from_spki, (Malformed,), _one_of(SPKI), keys.spki),
    Decoder("a private key, Ed25519", keys.ed25519_from_pem, (Malformed,), _one_of(keys.to_pem(LOG_KEY))),
    Decoder("a private key, P-256", keys.p256_from_pem, (Malformed,), _one_of(keys.to_pem(DEVICE_KEY))),
    Decoder("keys of a reader", lambda data: reader_keys.site_keys(_text(data)), (Malformed,),
            _one_of(SPKI.hex().encode(), keys.fingerprint(SPKI).encode())),
    Decoder("headquarters' keys", lambda data: reader_keys.hq_keys(_text(data)), (Malformed,), _one_of(VKEY.encode())),
    Decoder("a meter record", lambda data: ocmf.parse(_text(data)), (Malformed,), _one_of(_METER_RECORD)),
    Decoder("a filling's measurement", _measurement, (Malformed,), _one_of(_MEASUREMENT)),
    Decoder("a filling's receipt, told", _statement, (Refused,), _one_of(FILLED.to_bytes())),
    Decoder("a price list in force", _prices, (NotCanonical,), _drawn(PriceList) | _one_of(encode(PRICES))),
    Decoder("fuel terms in force", _terms, (NotCanonical,), _drawn(FuelTerms)),
    Decoder("a price list's file", _price_file, (Refused,), _one_of(_PRICE_FILE)),
    Decoder("a fuel terms' file", _terms_file, (Refused,), _one_of(_TERMS_FILE)),
    Decoder("a frontier", Frontier.from_bytes, (Malformed,), _one_of(bytes(8), (5).to_bytes(8, "big") + bytes(64)),
            Frontier.to_bytes),
    Decoder("a deflated request", lambda data: _inflate(Request(wire.PATH_BATCH, data, True)), (Refuse,),
            st.binary().map(zlib.compress)),
    Decoder("headquarters' answer", lambda data: read(HttpAnswer(200, data), BatchReply), (HqError,),
            _drawn(BatchReply)),
    Decoder("headquarters' refusal", lambda data: read(HttpAnswer(409, data), BatchReply), (HqError,),
            _drawn(wire.Refusal), honest_is_taken=False),
    Decoder("a line on the panel's socket", _panel, (msgspec.DecodeError, UnicodeDecodeError, RecursionError),
            _one_of(*_PANEL)),
    Decoder("a request for the local page", _page, (Unreadable,), _one_of(*_HTTP)),
    Decoder("a PTS-2's answer", _pts_answer, (jsonpts_errors.Malformed,), _one_of(*_PTS_ANSWERS)),
    Decoder("a sale that a PTS-2 uploads", lambda data: Uploads().receive(data), (jsonpts_errors.Malformed,),
            _one_of(_PTS_UPLOAD)),
    Decoder("the config file", _in_a_file(edge.config.load), (Refused,), _files("config.toml.example")),
    Decoder("the file of headquarters' keys", _in_a_file(trust.load), (Refused,), _one_of(KEY_FILE)),
    Decoder("a device profile", lambda data: profile_load.parse(data.decode("utf-8", "replace"), source="x"),
            (Refused,), _files("drivers/profiles/*.toml")),
    *(Decoder(name, heard, (), _one_of(*honest)) for name, heard, honest in
      [*PACK_LINES, *CHARGE_LINES, *BOARD_LINES, *READER_LINES]),
]  # fmt: skip
