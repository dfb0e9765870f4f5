"""Whatever comes in: a value, or one of the declared refusals; no other error, and no more memory than the input earns.

`make fuzz` does the same for ten minutes, or for FUZZ_S seconds.
"""

from __future__ import annotations

import tracemalloc

import pytest
from damage import BOMBS, damaged
from decoders import DECODERS, Decoder
from hypothesis import HealthCheck, given, settings

MEMORY_MAX = 24 * 1024 * 1024
"""More than any decoder needs for 256 KiB of input: what it keeps, what it encodes again, and an error's text."""

IN_THE_SUITE = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), database=None)

each_decoder = pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)


@each_decoder
def test_honest_bytes_are_taken(decoder: Decoder) -> None:
    """Every decoder takes what its own side writes, and its value encodes to the same bytes."""

    @settings(IN_THE_SUITE, max_examples=15)
    @given(decoder.honest)
    def taken(data: bytes) -> None:
        value = decoder.decode(data)
        if decoder.back is not None:
            assert decoder.back(value) == data

    if decoder.honest_is_taken:
        taken()


@each_decoder
def test_damaged_bytes_are_refused_as_declared(decoder: Decoder) -> None:
    """Damage gives a declared refusal, or another value with that very encoding."""
    IN_THE_SUITE(given(damaged(decoder.honest))(lambda data: holds(decoder, data)))()


@each_decoder
def test_bombs_are_refused_without_much_memory(decoder: Decoder) -> None:
    """Deep nesting, lengths that are not there, floods: refused as declared."""
    for name, bomb in BOMBS.items():
        tracemalloc.start()
        try:
            holds(decoder, bomb)
            _, most = tracemalloc.get_traced_memory()
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__}: {str(error)[:200]}") from None
        finally:
            tracemalloc.stop()
        assert most < MEMORY_MAX, f"{name}: {most // 1024} KiB"


def holds(decoder: Decoder, data: bytes) -> None:
    """Raises whatever is not declared."""
    try:
        value = decoder.decode(data)
    except decoder.may_raise:
        return
    if decoder.back is not None:
        assert decoder.back(value) == data
