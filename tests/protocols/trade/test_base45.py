"""Base45 against the examples of RFC 9285, and against everything that is not base45."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.trade.base45 import ALPHABET, NotBase45, decode, encode

EXAMPLES = [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0"), (b"", "")]
"""RFC 9285, sections 4.3 and 4.4."""


@pytest.mark.parametrize(("data", "text"), EXAMPLES)
def test_the_examples_of_the_rfc(data: bytes, text: str) -> None:
    """Both directions."""
    assert encode(data) == text
    assert decode(text) == data


@given(st.binary(max_size=300))
def test_bytes_come_back(data: bytes) -> None:
    """Three characters for two bytes, two for a last one, and no space that trimming would take away."""
    text = encode(data)
    assert decode(text) == data
    assert len(text) == len(data) // 2 * 3 + len(data) % 2 * 2
    assert text == text.rstrip()


@given(st.text(alphabet=ALPHABET, max_size=60))
def test_one_value_has_one_text(text: str) -> None:
    """Whatever decodes is the very text that encoding gives again."""
    try:
        data = decode(text)
    except NotBase45:
        return
    assert encode(data) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("GGW", "'GGW' at character 1 stands for more than 2"),  # 65,536: RFC 9285, section 6
        ("::", "'::' at character 1 stands for more than 1"),
        ("BB8U6", "'U6' at character 4 stands for more than 1"),
        ("A", "1 characters"),
        ("BB8B", "4 characters"),
        ("bb8", "'8'|'b' at character 2"),
        ("BB\n", r"at character 3 is none"),
        ("二二二", "none of base45's"),
    ],
)
def test_what_is_no_base45(text: str, says: str) -> None:
    """Each refusal says where."""
    with pytest.raises(NotBase45, match=says):
        decode(text)
