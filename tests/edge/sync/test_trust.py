"""Only what the pinned keys have signed, for this very log, is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud import keys as hq_keys
from edge.sync import trust
from protocols.door import Refused
from protocols.proof import keys
from protocols.proof.errors import BadSignature
from protocols.trade import documents, grants
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.grants import Grant
from protocols.trade.records import Preset
from protocols.trade.wire import COMMAND_DOMAIN, Command, DocumentRef, SignedCommand

HQ = hq_keys.generate()
OTHER = hq_keys.generate()
PINNED = trust.HqKeys(HQ.grant_vkey, HQ.cosign_vkey)


def grant(by: hq_keys.HqKeys = HQ, site: str = "pudong-1", epoch: int = 2) -> bytes:
    value = Grant("ann", "CNY", site, epoch, 1, 500, 0, 1, 0, 0, 1, [])
    return grants.join(value, keys.sign(by.grant, grants.DOMAIN, encode(value)))


def document(by: hq_keys.HqKeys = HQ, site: str = "pudong-1", version: int = 3, payload: bytes = b"x") -> bytes:
    signature = keys.sign(by.grant, documents.DOMAIN, documents.signed_part("tariff", site, version, payload))
    return encode(Document("tariff", site, version, payload, signature))


def command(by: hq_keys.HqKeys = HQ, domain: str = COMMAND_DOMAIN) -> bytes:
    payload = encode(Command("pudong-1", bytes(8), 1, "stop", "c1", "", Preset("full", 0), 7, "", False, 0))
    return encode(SignedCommand(payload, keys.sign(by.grant, domain, payload)))


def test_a_grant_is_for_this_log_and_by_headquarters() -> None:
    """Another signer's, another site's and another epoch's grant is refused; so is one for somebody else."""
    assert trust.check_grant(PINNED, grant(), "pudong-1", 2).granted == 500
    for signed in (grant(OTHER), grant(site="pudong-2"), grant(epoch=1), grant().replace(b"ann", b"bob")):
        with pytest.raises(BadSignature):
            trust.check_grant(PINNED, signed, "pudong-1", 2)


def test_a_document_is_the_one_named_for_this_site() -> None:
    """The reply must be the document that the reference names, signed for this site."""
    named = documents.pin(Document("tariff", "pudong-1", 3, b"x", b""))
    ref = DocumentRef(named.kind, named.version, named.hash)
    assert trust.check_document(PINNED, document(), "pudong-1", ref).version == 3
    for encoded in (document(OTHER), document(site="pudong-2"), document(version=4), document(payload=b"y")):
        with pytest.raises(BadSignature):
            trust.check_document(PINNED, encoded, "pudong-1", ref)


def test_a_command_is_signed_as_a_command() -> None:
    """Another signer's command, or a signature made for another kind of thing, is refused."""
    assert trust.check_command(PINNED, command())
    for signed in (command(OTHER), command(domain=grants.DOMAIN)):
        with pytest.raises(BadSignature):
            trust.check_command(PINNED, signed)


def test_the_keys_that_headquarters_prints_are_pinned(tmp_path: Path) -> None:
    """What `fieldtill-hq keys` prints is the file, comments and keys of other roles included."""
    path = tmp_path / "hq.vkeys"
    path.write_text(f"# headquarters\n\n{HQ.vkeys()}")
    assert trust.load(path) == PINNED


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["a key named .../grant", "a key named .../cosign"]),
        (f"{HQ.grant_vkey}\n", ["a key named .../cosign"]),
        (f"{HQ.grant_vkey}\n{HQ.cosign_vkey}\n{OTHER.cosign_vkey}\n", ["line 3: expected one cosign key"]),
        (f"{str(HQ.grant_vkey)[:-5]}\n{HQ.cosign_vkey}\n", ["line 1", "a key named .../grant"]),
        (
            f"{str(HQ.grant_vkey).replace('/grant', '/cosign')}\n{HQ.grant_vkey}\n{HQ.cosign_vkey}\n",
            ["line 1"],
        ),
    ],
    ids=["empty", "no cosign key", "two cosign keys", "cut key", "another's name"],
)
def test_every_fault_of_a_keys_file_is_told(tmp_path: Path, text: str, faults: list[str]) -> None:
    """A missing, repeated, damaged or renamed key refuses the whole file, with each fault and its line."""
    path = tmp_path / "hq.vkeys"
    path.write_text(text)
    with pytest.raises(Refused) as caught:
        trust.load(path)
    assert len(caught.value.faults) == len(faults)
    for fault, expected in zip(caught.value.faults, faults, strict=True):
        assert expected in str(fault)


def test_a_missing_keys_file_says_what_belongs_there(tmp_path: Path) -> None:
    """The remedy names the command that prints the keys."""
    with pytest.raises(Refused, match="fieldtill-hq keys"):
        trust.load(tmp_path / "none")
