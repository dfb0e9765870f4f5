"""What is in a receipt.json, and how does it become values, or a list of every fault in it?

    format       fieldtill.receipt/1
    device_key   the box's public key: base64 of SubjectPublicKeyInfo
    records      the session's records in the log's order, opening first and end last, each with
        record   base64 of its exact bytes: the leaf of the log's tree
        proof    its C2SP tlog-proof as text, `extra` being the log key's certificate
    documents    what the opening record pins, as far as it is handed out: `kind` (`tariff`, `tenders`,
                 `fuel-prices`, `swap-terms`, `port-prices`) and `payload` as base64
    view         what the records say, for whoever opens the file; a verifier makes it again and compares

All proofs are under one signed head, so that they cannot come from two histories of one log. Each is whole in itself
all the same: any tool that reads tlog-proof can check it beside its record.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from protocols.door import Fault, Refused, check
from protocols.proof.errors import Malformed
from protocols.proof.note import decode_base64
from protocols.proof.receipt import Receipt
from protocols.trade.codec import BYTES_MAX

FORMAT = "fieldtill.receipt/1"
FILE_BYTES_MAX = 4 * 1024 * 1024
RECORDS_MAX = 64
DOCUMENTS_MAX = 8
DEVICE_KEY_BYTES_MAX = 1024


@dataclass(frozen=True, slots=True)
class ProvenRecord:
    """One record's exact bytes, and the proof that it is in the log; not verified."""

    data: bytes
    proof: Receipt


@dataclass(frozen=True, slots=True)
class PinnedDocument:
    """A document's exact payload. It is worth what a pin in a proven record says of its hash."""

    kind: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ReceiptFile:
    """A receipt as handed out, its form checked and nothing else."""

    device_key: bytes
    records: tuple[ProvenRecord, ...]
    documents: tuple[PinnedDocument, ...]
    view: dict[str, Any]

    @property
    def checkpoint(self) -> bytes:
        """The signed head that all proofs are under."""
        return self.records[0].proof.checkpoint

    @property
    def certificate(self) -> bytes:
        """The log key's certificate."""
        extra = self.records[0].proof.extra
        assert extra is not None, "checked at the door"
        return extra

    def to_bytes(self) -> bytes:
        """The file."""
        told = {
            "format": FORMAT,
            "view": self.view,
            "device_key": _base64(self.device_key),
            "records": [{"record": _base64(one.data), "proof": one.proof.to_bytes().decode()} for one in self.records],
            "documents": [{"kind": one.kind, "payload": _base64(one.payload)} for one in self.documents],
        }
        return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def parse(data: bytes, *, source: str) -> ReceiptFile:
    """Raises Refused with all faults, each with its path. `source` names the file for the person."""
    if len(data) > FILE_BYTES_MAX:
        raise Refused(source, [Fault("", f"at most {FILE_BYTES_MAX} bytes", f"{len(data)} bytes")])
    try:
        table = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(source, [Fault("", "JSON", str(error), "It may have been cut off: ask for it again.")]) from None
    written, faults = check(table, _File)
    if written is None:
        raise Refused(source, faults)
    file = _taken_in(written, faults)
    if faults:
        raise Refused(source, faults)
    return file


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    record: str
    proof: str


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: Literal["tariff", "tenders", "fuel-prices", "swap-terms", "port-prices"]
    payload: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["fieldtill.receipt/1"]
    view: dict[str, Any]
    device_key: str
    records: list[_Record]
    documents: list[_Document]


def _taken_in(written: _File, faults: list[Fault]) -> ReceiptFile:
    """The values, and what is wrong with them added to `faults`."""
    if not 2 <= len(written.records) <= RECORDS_MAX:
        faults.append(Fault("records", f"2 to {RECORDS_MAX} records", str(len(written.records))))
    if len(written.documents) > DOCUMENTS_MAX:
        faults.append(Fault("documents", f"at most {DOCUMENTS_MAX} documents", str(len(written.documents))))
    device_key = _bytes(written.device_key, "device_key", DEVICE_KEY_BYTES_MAX, faults)
    records: list[ProvenRecord] = []
    for index, one in enumerate(written.records[:RECORDS_MAX]):
        record = _bytes(one.record, f"records[{index}].record", BYTES_MAX, faults)
        proof = _proof(one.proof, f"records[{index}].proof", faults)
        if proof is not None:
            records.append(ProvenRecord(record, proof))
    for index, proven in enumerate(records):
        if proven.proof.checkpoint != records[0].proof.checkpoint:
            faults.append(Fault(f"records[{index}].proof", "the same signed head as the first record's", "another"))
        if proven.proof.extra != records[0].proof.extra:
            faults.append(Fault(f"records[{index}].proof", "the same extra as the first record's", "another"))
    documents = tuple(
        PinnedDocument(one.kind, _bytes(one.payload, f"documents[{index}].payload", BYTES_MAX, faults))
        for index, one in enumerate(written.documents[:DOCUMENTS_MAX])
    )
    return ReceiptFile(device_key, tuple(records), documents, written.view)


def _proof(text: str, path: str, faults: list[Fault]) -> Receipt | None:
    try:
        proof = Receipt.parse(text.encode())
    except Malformed as error:
        faults.append(Fault(path, f"{error.what}: {error.expected}", error.got))
        return None
    except UnicodeEncodeError as error:  # a lone surrogate, which JSON can write and UTF-8 cannot
        faults.append(Fault(path, "text", str(error)))
        return None
    if proof.extra is None:
        faults.append(Fault(path, "the log key's certificate as extra", "none"))
        return None
    return proof


def _bytes(text: str, path: str, bytes_max: int, faults: list[Fault]) -> bytes:
    try:
        data = decode_base64(text.encode(), what=path)
    except (Malformed, UnicodeEncodeError):
        faults.append(Fault(path, "standard base64 with padding", repr(text[:40])))
        return b""
    if len(data) > bytes_max:
        faults.append(Fault(path, f"at most {bytes_max} bytes", f"{len(data)} bytes"))
    return data


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
