"""How do bytes travel as text in a small QR code? Base45 (RFC 9285): the very characters of a QR's alphanumeric mode.

Two bytes are three characters, a last single byte is two. The last character is never a space, so that a scanner or a
program which trims a line does no harm.
"""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

_VALUES = {character: value for value, character in enumerate(ALPHABET)}


class NotBase45(ValueError):
    """The text is not the one encoding of any bytes. cut_off: only its end is wrong, as where the rest is missing."""

    remedy = "Scan or paste the whole code again; capital letters, digits and ` $%*+-./:` are all that it holds."

    def __init__(self, what: str, *, cut_off: bool = False) -> None:
        super().__init__(what)
        self.cut_off = cut_off


def encode(data: bytes) -> str:
    """The text of these bytes; RFC 9285, section 4."""
    pairs = [divmod(data[at] << 8 | data[at + 1], 45) for at in range(0, len(data) - 1, 2)]
    text = "".join(ALPHABET[rest] + ALPHABET[high % 45] + ALPHABET[high // 45] for high, rest in pairs)
    if len(data) % 2:
        text += ALPHABET[data[-1] % 45] + ALPHABET[data[-1] // 45]
    return text


def decode(text: str) -> bytes:
    """The bytes whose one encoding is `text`. Raises NotBase45."""
    if len(text) % 3 == 1:
        raise NotBase45(f"{len(text)} characters; no bytes have that many", cut_off=True)
    data = bytearray()
    for at in range(0, len(text), 3):
        group = text[at : at + 3]
        value, size = _value(group, at), len(group) - 1
        if value >= 1 << 8 * size:
            what = f"{group!r} at character {at + 1} stands for more than {size} byte(s)"
            raise NotBase45(what, cut_off=len(group) < 3)
        data += value.to_bytes(size, "big")
    return bytes(data)


def _value(group: str, at: int) -> int:
    value = 0
    for place, character in reversed(list(enumerate(group))):
        digit = _VALUES.get(character)
        if digit is None:
            raise NotBase45(f"{character!r} at character {at + place + 1} is none of base45's")
        value = value * 45 + digit
    return value
