"""Honest bytes, damaged: as a line, a disk, a stranger or another version of the software would."""

from __future__ import annotations

import zlib

from hypothesis import strategies as st

_EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdb\x7f\xff\xff\xff", b"\n\n",
             b"\xcf" + b"\xff" * 8, "€".encode(), b"-0", b"1e999", b"\xed\xa0\x80")  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, honest: st.SearchStrategy[bytes]) -> bytes:
    """One to four changes; now and then nothing but noise."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    data = bytearray(draw(honest))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("turn", "cut", "end", "double", "insert", "other"))):
            case "turn" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[at : at + draw(st.integers(1, 20))]
            case "end":
                del data[at:]
            case "double":
                data[at:at] = data[max(0, at - draw(st.integers(1, 40))) : at]
            case "insert":
                data[at:at] = draw(st.sampled_from(_EXTREMES) | st.binary(min_size=1, max_size=8))
            case "other":
                data[at:] = draw(honest)[at:]
    return bytes(data)


def _deflated(mib: int) -> bytes:
    """A stream of that many mebibytes of zeros, a thousandth of it long."""
    stream, zeros = zlib.compressobj(9), bytes(1 << 20)
    return b"".join(stream.compress(zeros) for _ in range(mib)) + stream.flush()


BOMBS = {
    "64 MiB deflated": _deflated(64),
    "deep arrays": b"\x91" * 100_000,
    "deep maps": b"\x81\xa1a" * 60_000,
    "an array of four billion": b"\xdd\xff\xff\xff\xff" * 8,
    "a text of four billion": b"\xdb\xff\xff\xff\xff" + b"a" * 100,
    "bytes of four billion": b"\xc6\xff\xff\xff\xff" + b"a" * 100,
    "an array of many nothings": b"\xdd\x00\x03\xff\xff" + b"\xc0" * 0x3FFFF,
    "deep JSON": b"[" * 100_000,
    "deep JSON of objects": b'{"a":' * 60_000,
    "deep JSON in arguments": b'{"verb": "status", "args": {"a": ' + b"[" * 60_000,
    "deep JSON in a view": b'{"format": "fieldtill.receipt/1", "view": {"a": ' + b"[" * 60_000,
    "a long number": b"9" * 200_000,
    "a long number in JSON": b'{"a": ' + b"9" * 200_000 + b"}",
    "a number with a long exponent": b'{"verb": 1e' + b"9" * 1000 + b"}",
    "deep TOML": b"a = " + b"[" * 50_000,
    "deep TOML of keys": b"a" + b".a" * 1_000 + b" = 1",
    "a long number in TOML": b"version = " + b"9" * 50_000,
    "many lines": b"\n" * 200_000,
    "many empty signatures": b"x\n\n" + "— a AAAAAA==\n".encode() * 20_000,
    "zeros": bytes(250_000),
}
