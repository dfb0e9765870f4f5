"""What a site and headquarters sign, verified by a C2SP implementation by somebody else."""

from __future__ import annotations

import pytest

from protocols.proof import receipt, tree
from protocols.proof.errors import Malformed
from protocols.proof.receipt import Receipt
from protocols.proof.receipt_file import ReceiptFile
from protocols.proof.statement import state

from .people import COSIGNED_S, HQ_KEY, LEAVES, LOG_KEY, RECORDS, cosigned_head, flip, head
from .sold import BOX, GOOD, spoilt

aics = pytest.importorskip("aics_tlog", reason="aics-tlog, the independent verifier, declares Python 3.12 or later")

ROOTS = [head(size).root for size in range(len(RECORDS) + 1)]


def test_keys_have_the_same_text() -> None:
    """Both sides write the same verifier keys, so each can be configured from the other."""
    theirs = aics.vkey_from_ed25519(LOG_KEY.name, LOG_KEY.public)
    assert (aics.format_vkey(theirs), theirs.key_id) == (str(LOG_KEY), LOG_KEY.id)
    theirs = aics.cosignature_vkey(HQ_KEY.name, HQ_KEY.public)
    assert (aics.format_vkey(theirs), theirs.key_id) == (str(HQ_KEY), HQ_KEY.id)


def test_roots_and_proofs_are_the_same() -> None:
    """Byte for byte, for every size and place."""
    theirs = aics.MerkleTree(RECORDS)
    for size in range(1, len(RECORDS) + 1):
        assert theirs.root(size) == ROOTS[size]
        for index in range(size):
            assert list(tree.inclusion_proof(LEAVES, index, size)) == list(theirs.inclusion_proof(index, size))
        for old_size in range(1, size):
            ours = list(tree.consistency_proof(LEAVES, old_size, size))
            assert ours == list(theirs.consistency_proof(old_size, size))


def test_their_verifier_takes_our_proofs_and_no_damaged_one() -> None:
    """Inclusion and consistency, each once whole and once with a bit flipped in every hash."""
    size = len(RECORDS)
    for index in range(size):
        proof = list(tree.inclusion_proof(LEAVES, index, size))
        assert aics.verify_leaf_inclusion(RECORDS[index], index, size, proof, ROOTS[size])
        for at in range(len(proof)):
            damaged = [*proof[:at], flip(proof[at], index), *proof[at + 1 :]]
            assert not aics.verify_leaf_inclusion(RECORDS[index], index, size, damaged, ROOTS[size])
    for old_size in range(1, size):
        proof = list(tree.consistency_proof(LEAVES, old_size, size))
        assert aics.verify_consistency(old_size, size, ROOTS[old_size], ROOTS[size], proof)
        assert not aics.verify_consistency(old_size, size, ROOTS[old_size], ROOTS[size], proof[:-1])


@pytest.mark.parametrize("size", [0, 1, 7, 50])
def test_their_verifier_takes_our_cosigned_heads(size: int) -> None:
    """Log signature and HQ's cosignature, with a quorum of one."""
    result = aics.verify_checkpoint(
        aics.parse_note(cosigned_head(size)), aics.parse_vkey(str(LOG_KEY)), [aics.parse_vkey(str(HQ_KEY))], quorum=1
    )
    assert result.ok, result.error
    assert (result.origin, result.size, result.root) == (LOG_KEY.name, size, ROOTS[size])
    assert result.timestamps == {HQ_KEY.name: COSIGNED_S}


def test_their_verifier_takes_no_head_with_a_flipped_byte() -> None:
    """As ours does: see test_checkpoint."""
    good = cosigned_head(7)
    for place in range(len(good)):
        try:
            damaged = aics.parse_note(flip(good, 8 * place))
            result = aics.verify_checkpoint(
                damaged, aics.parse_vkey(str(LOG_KEY)), [aics.parse_vkey(str(HQ_KEY))], quorum=1
            )
        except ValueError:
            continue
        assert not result.ok, place


def test_a_receipt_taken_apart_verifies_there() -> None:
    """aics-tlog does not read tlog-proof itself; everything in one is checked with its functions."""
    made = Receipt(11, tree.inclusion_proof(LEAVES, 11, 23), cosigned_head(23))
    head_lines, _, note = made.to_bytes().decode().partition("\n\n")
    header, index, *hashes = head_lines.split("\n")
    assert header == "c2sp.org/tlog-proof@v1"
    path = [aics.note.b64_decode(line) for line in hashes]
    checkpoint, parsed = aics.checkpoint.checkpoint_from_note(note)
    assert aics.verify_checkpoint(parsed, aics.parse_vkey(str(LOG_KEY)), [aics.parse_vkey(str(HQ_KEY))], quorum=1).ok
    place = int(index.removeprefix("index "))
    assert aics.verify_leaf_inclusion(RECORDS[11], place, checkpoint.size, path, checkpoint.root)
    assert receipt.verify(made, RECORDS[11], LOG_KEY, HQ_KEY).final


def test_a_session_s_receipt_verifies_there_and_no_changed_byte_does() -> None:
    """A receipt.json's records with their proofs: whole, and once with every byte changed, in both verifiers."""
    assert _theirs(GOOD)
    for place, one in enumerate(GOOD.records):
        for at in range(len(one.data)):
            assert not _both(spoilt(GOOD, place, data=flip(one.data, 8 * at + at % 8)), f"record {place}, byte {at}")
        text = one.proof.to_bytes()
        begins = text.index(b"\nindex") + 1  # `extra` is ours alone: see test_receipt_file
        for at in range(begins, len(text)):
            try:
                proof = Receipt.parse(flip(text, 8 * at + at % 8))
            except Malformed:
                assert not _their_proof(one.data, flip(text, 8 * at + at % 8)), f"proof {place}, byte {at}"
                continue
            parts = {"index": proof.index, "path": proof.path, "checkpoint": proof.checkpoint}
            assert not _both(spoilt(GOOD, place, **parts), f"proof {place}, byte {at}")


def _both(file: ReceiptFile, what: str) -> bool:
    """What both verifiers say of it; that they agree is asserted."""
    ours, theirs = state(file, [BOX], [HQ_KEY]).proven, _theirs(file)
    assert ours == theirs, what
    return ours


def _theirs(file: ReceiptFile) -> bool:
    return all(_their_proof(one.data, one.proof.to_bytes()) for one in file.records)


def _their_proof(record: bytes, proof: bytes) -> bool:
    """One record's proof, taken apart as text and checked with aics-tlog's functions alone."""
    try:
        head_lines, _, note = proof.decode().partition("\n\n")
        lines = [line for line in head_lines.split("\n") if not line.startswith("extra ")]
        if lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("index "):
            return False
        checkpoint, parsed = aics.checkpoint.checkpoint_from_note(note)
        vkeys = aics.parse_vkey(str(LOG_KEY)), [aics.parse_vkey(str(HQ_KEY))]
        if not aics.verify_checkpoint(parsed, *vkeys, quorum=1).ok:
            return False
        path = [aics.note.b64_decode(line) for line in lines[2:]]
        index = int(lines[1].removeprefix("index "))
        return bool(aics.verify_leaf_inclusion(record, index, checkpoint.size, path, checkpoint.root))
    except ValueError:
        return False
