"""One value, one byte string: what decodes encodes to the same bytes, and nothing else decodes."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.trade.codec import BYTES_MAX, NotCanonical, Wire, decode, encode


class Leaf(Wire, frozen=True):
    count: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    text: Annotated[str, msgspec.Meta(max_length=40)]


class Tree(Wire, frozen=True):
    """Every kind of field that records use: structs, lists, bytes, text, whole numbers, None."""

    leaf: Leaf
    leaves: list[Leaf]
    raw: bytes
    signed: int
    maybe: int | None


LEAVES = st.builds(Leaf, st.integers(0, 2**53), st.text(max_size=40))
TREES = st.builds(
    Tree,
    LEAVES,
    st.lists(LEAVES, max_size=4),
    st.binary(max_size=300),
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(-(2**31), 2**31),
)


@given(TREES)
def test_every_value_comes_back(tree: Tree) -> None:
    """Encode, decode, encode: the same value and the same bytes."""
    data = encode(tree)
    assert decode(data, Tree) == tree
    assert encode(decode(data, Tree)) == data


@given(TREES, st.data())
def test_damaged_bytes_are_refused_or_another_value(tree: Tree, data: st.DataObject) -> None:
    """One byte changed, cut or added: NotCanonical, or the one encoding of a different value."""
    whole = bytearray(encode(tree))
    at = data.draw(st.integers(0, len(whole) - 1))
    match data.draw(st.sampled_from(["change", "cut", "add"])):
        case "change":
            whole[at] ^= data.draw(st.integers(1, 255))
        case "cut":
            del whole[at]
        case _:
            whole.insert(at, data.draw(st.integers(0, 255)))
    damaged = bytes(whole)
    with suppress(NotCanonical):
        value = decode(damaged, Tree)
        assert encode(value) == damaged
        assert damaged == encode(tree) or value != tree


@given(st.binary(max_size=64))
def test_noise_is_refused_or_canonical(noise: bytes) -> None:
    """Bytes from nowhere raise NotCanonical alone, never anything else."""
    with suppress(NotCanonical):
        assert encode(decode(noise, Leaf)) == noise


@pytest.mark.parametrize(
    ("hex_bytes", "why"),
    [
        ("92 cc 05 a1 61", "5 in two bytes"),
        ("92 cd 00 05 a1 61", "5 in three bytes"),
        ("92 d0 05 a1 61", "5 as a signed byte"),
        ("92 05 d9 01 61", "a short text with a long head"),
        ("dc 00 02 05 a1 61", "a short array with a long head"),
        ("92 cb 40 14 00 00 00 00 00 00 a1 61", "5.0 for 5"),
        ("92 05 c4 01 61", "bytes for text"),
        ("92 05 a1 ff", "text that is not UTF-8"),
        ("92 c3 a1 61", "true for a number"),
        ("92 ff a1 61", "a number below its range"),
        ("92 cf 00 20 00 00 00 00 00 01 a1 61", "a number above its range"),
        ("91 05", "a field too few"),
        ("93 05 a1 61 c0", "a field too many"),
        ("92 05 a1 61 c0", "something after the value"),
        ("82 a5 63 6f 75 6e 74 05 a4 74 65 78 74 a1 61", "a map"),
        ("", "nothing"),
        ("92 05", "the end missing"),
        ("c1", "a byte that MessagePack never uses"),
        ("91" * 3000, "arrays in arrays without end"),
    ],
)
def test_other_spellings_of_a_value(hex_bytes: str, why: str) -> None:
    """Only the shortest spelling of exactly the struct's fields decodes."""
    assert decode(bytes.fromhex("92 05 a1 61"), Leaf) == Leaf(5, "a")
    with pytest.raises(NotCanonical, match="expected"):
        decode(bytes.fromhex(hex_bytes), Leaf)


def test_too_long_to_be_looked_at() -> None:
    """The limit is held before any byte is decoded."""
    with pytest.raises(NotCanonical, match=f"at most {BYTES_MAX} bytes"):
        decode(bytes(BYTES_MAX + 1), Leaf)


def test_the_error_says_where() -> None:
    """A person who reads the refusal finds the field."""
    with pytest.raises(NotCanonical, match=r"Tree.*\$\[1\]"):
        decode(encode([Leaf(1, "a"), 5, b"", 0, None]), Tree)
