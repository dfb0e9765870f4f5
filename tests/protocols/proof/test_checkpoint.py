"""Checkpoints and cosignatures: a public log's, ours, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.proof import checkpoint, note
from protocols.proof.checkpoint import Checkpoint
from protocols.proof.errors import BadSignature, Malformed
from protocols.proof.note import VerifierKey
from protocols.proof.tree import EMPTY_ROOT

from . import public
from .people import COSIGNED_S, HQ, HQ_KEY, HQ_NAME, LOG, LOG_KEY, STRANGER, cosigned_head, flip, head, signed_head


def test_a_public_log_s_head_verifies() -> None:
    """The head of a public Certificate Transparency log, under its published key."""
    found = checkpoint.verify_checkpoint(public.LOG_NOTE, VerifierKey.parse(public.LOG_VKEY))
    assert (found.origin, found.size) == ("arche2025h1.staging.ct.transparency.dev", 1_432_088_532)


@pytest.mark.parametrize("vkey", public.WITNESS_VKEYS)
def test_the_public_witnesses_cosignatures_verify(vkey: str) -> None:
    """Four independent witnesses, at the time they say."""
    assert checkpoint.verify_cosignature(public.LOG_NOTE, VerifierKey.parse(vkey)) == 0x6A122120


def test_a_head_as_it_is_signed_and_cosigned() -> None:
    """The exact bytes; Ed25519 is deterministic."""
    assert (
        cosigned_head(7).decode()
        == """\
fieldtill/shanghai-7/3
7
ZlCXn2yHiq2F84Dsicnip68Q0qZKqWqJGKp/UHsg+Y4=

— fieldtill/shanghai-7/3 RKjSiwTy3pwLh4DucPHfP/eSgj+baDWzP8bZ+8k72YfGjPMTjacbXgurjHap6WELyA87/bS/CdZVqz6COBtJRF/K7Qg=
— hq.example/cosigner dt1x0QAAAABqsTuABvXjDwjD73go5y4HRM93+wppEE9up4Fq/04OLXFYJfSuwbIErfKJE+klI/v3tueFCn5t3ec3pooXUOME1HNbBQ==
"""  # noqa: E501
    )


def test_a_head_comes_back() -> None:
    """Signed, cosigned, verified."""
    assert checkpoint.parse(signed_head(7)) == head(7)
    assert checkpoint.verify_checkpoint(cosigned_head(7), LOG_KEY) == head(7)
    assert checkpoint.verify_cosignature(cosigned_head(7), HQ_KEY) == COSIGNED_S


def test_the_head_of_an_empty_log() -> None:
    """Size 0 is written `0`."""
    assert head(0) == Checkpoint(LOG_KEY.name, 0, EMPTY_ROOT)
    assert checkpoint.verify_checkpoint(signed_head(0), LOG_KEY) == head(0)


@settings(max_examples=300)
@given(st.integers(0, 8 * len(cosigned_head(7))))
def test_a_flipped_bit_anywhere_fails(bit: int) -> None:
    """Whoever checks both signatures notices a change in any byte of a cosigned head."""
    broken = flip(cosigned_head(7), bit)
    with pytest.raises((Malformed, BadSignature)):
        both_signatures(broken)


def both_signatures(cosigned: bytes) -> None:
    checkpoint.verify_checkpoint(cosigned, LOG_KEY)
    checkpoint.verify_cosignature(cosigned, HQ_KEY)


def test_a_head_that_is_not_cosigned() -> None:
    """The absence of HQ's line is a refusal, never a time of 0."""
    with pytest.raises(BadSignature, match=HQ_NAME):
        checkpoint.verify_cosignature(signed_head(7), HQ_KEY)


def test_a_key_signs_only_for_its_own_log() -> None:
    """A log key's good signature over another log's head proves nothing."""
    other = Checkpoint("fieldtill/shanghai-8/1", 7, head(7).root)
    with pytest.raises(BadSignature, match="origin"):
        checkpoint.verify_checkpoint(note.sign(other.text(), LOG, LOG_KEY.name), LOG_KEY)


def test_a_stranger_under_the_log_s_name() -> None:
    """A name is not a key."""
    with pytest.raises(BadSignature, match="unknown"):
        checkpoint.verify_checkpoint(checkpoint.sign_checkpoint(head(7), STRANGER), LOG_KEY)


def test_a_cosignature_moved_to_another_head_fails() -> None:
    """The acknowledgement of one size is not that of another."""
    cosignature = cosigned_head(7).removeprefix(signed_head(7))
    with pytest.raises(BadSignature, match="does not hold"):
        checkpoint.verify_cosignature(signed_head(8) + cosignature, HQ_KEY)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("fieldtill/a/1\n7\n", id="two lines"),
        pytest.param("fieldtill/a/1\n7\nROOT\nmore\n", id="an extension line"),
        pytest.param("fieldtill/a/1\n07\nROOT\n", id="a leading zero"),
        pytest.param("fieldtill/a/1\n-7\nROOT\n", id="a sign"),
        pytest.param("fieldtill/a/1\n٧\nROOT\n", id="digits that are not ASCII"),
        pytest.param("fieldtill/a/1\n\nROOT\n", id="no size"),
        pytest.param("fieldtill/a/1\n9223372036854775808\nROOT\n", id="2^63"),
        pytest.param("\n7\nROOT\n", id="no origin"),
        pytest.param("a b\n7\nROOT\n", id="a space in the origin"),
        pytest.param("fieldtill/a/1\n7\nAAAA\n", id="a short root"),
        pytest.param("fieldtill/a/1\n7\nROOT", id="no last newline"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """The form is strict: three lines, one spelling."""
    root = "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro="
    with pytest.raises(Malformed):
        Checkpoint.parse(text.replace("ROOT", root).encode())


def test_only_a_checkpoint_is_cosigned() -> None:
    """HQ's cosigning key signs no other text."""
    with pytest.raises(Malformed):
        checkpoint.cosign(note.sign(b"hello\n", LOG, LOG_KEY.name), HQ, HQ_NAME, COSIGNED_S)


def test_keys_are_of_their_kind() -> None:
    """Mixing up a log's key and a cosigner's is the caller's mistake, not a refusal."""
    with pytest.raises(ValueError, match="not for ED25519"):
        checkpoint.verify_checkpoint(cosigned_head(7), HQ_KEY)
    with pytest.raises(ValueError, match="not for COSIGNATURE_V1"):
        checkpoint.verify_cosignature(cosigned_head(7), LOG_KEY)
