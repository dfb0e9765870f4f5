"""What goes into the evidence of one session? A folder that a stranger can check without us, and read without tools.

index.html            one page for people, Chinese and English, to print
receipt.json          the bill with its proofs: `fieldtill verify receipt.json`, or the next
verify.html           checks it in any browser, offline
records/N.KIND.bin    each record's exact bytes, and .json of the same for people
records/N.tlog-proof  its proof, for any tool that reads C2SP's tlog-proof
checkpoint.txt        the signed head that all proofs are under
meter-record.ocmf     the signed meter record, and meter-record.xml for the transparency software; where there is one
measurement.ftm       of a filling, a swap or a port, the signed measurement instead
documents/            what the session pinned: the exact bytes, .json of what can be read, headquarters' signature
keys.json             the public keys that this is to be checked with; compare them with the box and headquarters
SHA256SUMS            of all of these: `sha256sum -c SHA256SUMS`
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec

from edge.evidence.gather import Gathered
from edge.evidence.pack_page import index_page
from edge.evidence.verifier_page import verifier_page
from protocols.proof import keys, ocmf_xml
from protocols.proof.keys import LogKeyCertificate
from protocols.proof.note import VerifierKey
from protocols.proof.receipt_story import ChargeStory
from protocols.trade.codec import decode
from protocols.trade.documents import DOMAIN, TARIFF, Document, signed_part
from protocols.trade.fuel_prices import KIND as PRICES
from protocols.trade.fuel_prices import PriceList
from protocols.trade.port_prices import KIND as PORT_PRICES
from protocols.trade.port_prices import PortPrices
from protocols.trade.records import Record, body_of
from protocols.trade.records_port import LockerClosed
from protocols.trade.swap_terms import KIND as SWAP_TERMS
from protocols.trade.swap_terms import SwapTerms
from protocols.trade.tariff import Tariff
from protocols.trade.tender import KIND as TENDERS
from protocols.trade.tender import Tenders

SUMS = "SHA256SUMS"

_READABLE: dict[str, type[msgspec.Struct]] = {
    TARIFF: Tariff,
    PRICES: PriceList,
    SWAP_TERMS: SwapTerms,
    PORT_PRICES: PortPrices,
    TENDERS: Tenders,
}


def pack(gathered: Gathered, hq_keys: tuple[VerifierKey, ...]) -> dict[str, bytes]:
    """Every file by its path in the folder. hq_keys: those of headquarters that the box trusts; () for none."""
    files = {
        "receipt.json": gathered.file.to_bytes(),
        "verify.html": verifier_page().encode(),
        "checkpoint.txt": gathered.file.checkpoint,
        "keys.json": _json(key_directory(gathered, hq_keys)),
        **dict(_records(gathered)),
        **dict(_documents(gathered)),
        **dict(_meter_record(gathered)),
    }
    files["index.html"] = index_page(gathered, hq_keys, sorted(files)).encode()
    sums = "".join(f"{sha256(data).hexdigest()}  {path}\n" for path, data in sorted(files.items()))
    return {**files, SUMS: sums.encode()}


def key_directory(gathered: Gathered, hq_keys: tuple[VerifierKey, ...]) -> dict[str, Any]:
    """Public keys alone, each as the tools that use it want it."""
    device = gathered.file.device_key
    certificate = LogKeyCertificate.from_bytes(gathered.file.certificate)
    return {
        "device": {"fingerprint": keys.fingerprint(device), "spki_hex": device.hex(), "class": "C, in software"},
        "log": {"vkey": str(certificate.verifier()), "certificate": gathered.file.certificate.decode()},
        "headquarters": [{"name": key.name, "vkey": str(key)} for key in hq_keys],
    }


def _records(gathered: Gathered) -> Iterator[tuple[str, bytes]]:
    for one in gathered.file.records:
        record = decode(one.data, Record)
        name = f"records/{one.proof.index}"
        yield f"{name}.{record.kind}.bin", one.data
        yield f"{name}.{record.kind}.json", _json({**_plain(record), "body": _plain(body_of(record))})
        yield f"{name}.tlog-proof", one.proof.to_bytes()


def _documents(gathered: Gathered) -> Iterator[tuple[str, bytes]]:
    for one in gathered.handed_out:
        name = f"documents/{one.kind}-{one.version}"
        yield f"{name}.bin", one.payload
        yield f"{name}.json", _json({**_signature(one), "content": _content(one)})


def _signature(document: Document) -> dict[str, Any]:
    """How to check that it is headquarters' own: Ed25519 over `domain`, a newline and `signed`, by the grant key."""
    signed = signed_part(document.kind, document.site, document.version, document.payload)
    return {
        "kind": document.kind,
        "version": document.version,
        "site": document.site,
        "sha256": sha256(document.payload).hexdigest(),
        "domain": DOMAIN,
        "signed_hex": signed.hex(),
        "signature_hex": document.signature.hex(),
    }


def _content(document: Document) -> Any:
    return _plain(decode(document.payload, _READABLE[document.kind]))


def _meter_record(gathered: Gathered) -> Iterator[tuple[str, bytes]]:
    closed = gathered.story.closed
    if closed is None or isinstance(closed, LockerClosed) or closed.meter_record is None:
        return
    if not isinstance(gathered.story, ChargeStory):
        yield "measurement.ftm", closed.meter_record.encode()
        return
    public = keys.device_public_from_spki(gathered.file.device_key)
    yield "meter-record.ocmf", closed.meter_record.encode()
    yield (
        "meter-record.xml",
        ocmf_xml.values([ocmf_xml.Value(gathered.story.seq, closed.meter_record, public)]).encode(),
    )


def _plain(value: Any) -> Any:
    """Structs as tables, bytes as hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"
