"""Damage for longer than the suite has time for: `make fuzz`, `make fuzz FUZZ_S=60`. Exit status 1 for any finding.

Rounds of other seeds over all decoders until the time is over; a finding is printed as the smallest bytes that show it.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from damage import damaged
from decoders import DECODERS, Decoder
from hypothesis import HealthCheck, given, seed, settings
from test_decoders import holds

ROUND = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    end_s = time.monotonic() + parser.parse_args().seconds
    tried = rounds = 0
    found: set[str] = set()
    while time.monotonic() < end_s:
        rounds += 1
        for decoder in DECODERS:
            if decoder.name in found or time.monotonic() > end_s:
                continue
            tried += ROUND.max_examples
            try:
                _round(decoder, rounds)
            except Exception:
                found.add(decoder.name)
                print(f"{decoder.name}:", flush=True)
                traceback.print_exc(limit=-3, file=sys.stdout)
    print(f"{tried:,} damaged inputs to {len(DECODERS)} decoders in {rounds} rounds, {len(found)} findings")
    return 1 if found else 0


def _round(decoder: Decoder, number: int) -> None:
    seed(number)(ROUND(given(damaged(decoder.honest))(lambda data: holds(decoder, data))))()


if __name__ == "__main__":
    sys.exit(main())
