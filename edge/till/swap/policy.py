"""The operator's rules for cabinets: the `[swap]` table of the config."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.till.hours import Hours

Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]
Tries = Annotated[int, msgspec.Meta(ge=1, le=10)]


class SwapPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every time in seconds. The numbers are those of operators in the field (facts: cabinets 3 and 5)."""

    scan_valid_s: Seconds = 30
    """A scan that is older starts nothing: its rider may have gone."""
    interval_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 1_200
    """At least so long between two packs that one rider takes here; a plan may ask for more."""
    pulses: Tries = 3
    """A lock is pulsed so often before its door counts as one that does not open."""
    pulse_apart_s: Seconds = 4
    """From one pulse to the next: the solenoid cools, and a door that is stuck may yet spring."""
    door_shut_ms: Annotated[int, msgspec.Meta(ge=100, le=30_000)] = 2_000
    """A door is shut once it has been seen so for this long without a break: doors bounce."""
    door_open_ms: Annotated[int, msgspec.Meta(ge=0, le=5_000)] = 300
    """A door is open once it has been seen so for this long: a noisy input is no open door."""
    put_in_s: Seconds = 120
    """To put a pack in and shut the door; then the rider is reminded."""
    not_put_in_s: Seconds = 30
    """Shut and empty, or not clear whether: looked at for this long before anything follows from it."""
    take_s: Seconds = 120
    """To take the pack and shut the door; then the rider is reminded, and staff told."""
    not_taken_s: Seconds = 10
    """Shut with the pack still in: looked at for this long before the door opens once more."""
    hold_s: Seconds = 180
    """After a reminder a session waits this much longer for the door to be shut."""
    unrecognised_max: Annotated[int, msgspec.Meta(ge=0, le=10)] = 3
    """So often a door opens once more for a pack that is not recognised."""
    silence_s: Seconds = 10
    """Doors and switches that have not been heard of for longer say nothing."""
    pack_age_s: Seconds = 45
    """What a pack said longer ago than this is not gone by. Packs are polled less often than doors."""
    wake_apart_s: Seconds = 5
    """A pack that is there and silent is woken this often."""
    rescan_s: Seconds = 300
    """For so long after a session its rider may go on where it ended."""
    rest_s: Seconds = 300
    """A slot that did not open, or whose check failed, rests for so long, unless no other is left."""
    failures_max: Tries = 2
    """A slot that did not open more often than this in a row is switched off."""
    voltage_mv_min: Annotated[int, msgspec.Meta(ge=1_000, le=200_000)] = 40_000
    """Below this there is no pack at the contacts. Slots without a pack link count with 44 V in the field."""
    evacuate_dc: Annotated[int, msgspec.Meta(ge=400, le=1_500)] = 600
    """A pack that is this hot, in tenths of a degree, is never locked in."""
    full_permille: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 900
    """Of packs that are rented out; for swaps the offer says it."""
    door_alarm_s: Seconds = 300
    """A door that stands open without a session for so long is reported."""
    hours: tuple[Hours, ...] = ()
    """When swaps and rents begin. A return is taken at any hour, and what has begun is brought to its end. None:
    always.
    """
    utc_offset_min: Annotated[int, msgspec.Meta(ge=-720, le=840)] = 480
    """What those hours are counted by; China's, if nothing is said."""
