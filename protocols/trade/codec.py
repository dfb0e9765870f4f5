"""One value, one byte string: canonical MessagePack arrays from typed structs.

What is signed, hashed, stored or sent is the exact bytes first written. A decoder accepts only bytes that encode again
to themselves, so no two byte strings ever mean the same value.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

BYTES_MAX = 256 * 1024
"""Longest encoded value accepted from outside. A record is a few hundred bytes; grants and tariffs a few thousand."""

_encoder = msgspec.msgpack.Encoder()


class Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of everything that is signed or sent: a frozen array of fields in the order written, without defaults."""


class NotCanonical(ValueError):
    """The bytes are not the one encoding of a value of the wanted type."""

    remedy = "The sender's software is damaged or of another version; keep the bytes and report them."


def encode(value: object) -> bytes:
    """The one encoding of a Wire struct (or a list of them)."""
    return _encoder.encode(value)


def decode(data: bytes, into: type[T], *, bytes_max: int = BYTES_MAX) -> T:
    """The value whose one encoding is `data`. Raises NotCanonical with what was expected and where."""
    if len(data) > bytes_max:
        raise NotCanonical(f"expected at most {bytes_max} bytes of {into.__name__}, got {len(data)}")
    try:
        value = _decoder(into).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotCanonical(f"expected {into.__name__}: {error}") from error
    if _encoder.encode(value) != data:
        raise NotCanonical(f"expected the canonical encoding of {into.__name__}, got another one")
    return value


_decoders: dict[type, msgspec.msgpack.Decoder[Any]] = {}


def _decoder(into: type[T]) -> msgspec.msgpack.Decoder[T]:
    """One decoder for each type, built when first needed; building one costs far more than using it."""
    decoder = _decoders.get(into)
    if decoder is None:
        decoder = _decoders[into] = msgspec.msgpack.Decoder(into)
    return decoder
