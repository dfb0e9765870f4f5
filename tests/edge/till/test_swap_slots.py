"""What a slot's witnesses mean together, and when a door is open or shut: tables, without a cabinet."""

from __future__ import annotations

import pytest

from drivers.cabinet import SlotSight, SlotTraits
from edge.till.swap.policy import SwapPolicy
from edge.till.swap.rescan import since_ms
from edge.till.swap.slots import Track, follow, is_open, is_shut, witness
from protocols.fieldbus.pack import PackReading
from protocols.trade.records import ClockQuality, Stamp

POLICY = SwapPolicy()
TRAITS = SlotTraits(door=True, feedback=True, presence=True, pack_link=True, charger=True, charge_power_w_max=600)
NO_SWITCH = SlotTraits(door=True, feedback=True, presence=False, pack_link=True, charger=True, charge_power_w_max=600)
PACK = PackReading(serial="bt106002512nntb211118182", voltage_mv=66_000)
MUTE = PackReading(voltage_mv=66_000)
FLAT = PackReading(serial="BT106002512NNTB211118182", voltage_mv=39_000)

# what the switch says, what the link says (None: asked, and silent), then: strictly and loosely full, strictly and
# loosely empty, surely gone
TABLE = [
    (TRAITS, True, PACK, "full full - - -"),
    (TRAITS, True, MUTE, "- full - - -"),
    (TRAITS, True, FLAT, "- full - - -"),
    (TRAITS, True, None, "- full - empty -"),
    (TRAITS, False, PACK, "- full - empty -"),
    (TRAITS, False, None, "- - empty empty gone"),
    (TRAITS, None, PACK, "- full - - -"),
    (TRAITS, None, None, "- - - empty -"),
    (NO_SWITCH, None, PACK, "full full - - -"),
    (NO_SWITCH, None, None, "- - empty empty gone"),
]


@pytest.mark.parametrize(("traits", "present", "pack", "says"), TABLE)
def test_the_predicates_are_not_each_others_opposites(
    traits: SlotTraits, present: bool | None, pack: PackReading | None, says: str
) -> None:
    """A wrong empty gives a pack away, a wrong full loses one; a broken witness says neither."""
    sight = SlotSight(door_open=False, present=present, pack=pack, pack_at_ms=500, at_ms=500)
    said = witness(Track(traits, sight, shut_ms=0, asked_ms=500), 100, POLICY)
    got = (said.strictly_full, said.loosely_full, said.strictly_empty, said.loosely_empty, said.gone)
    meant = [word != "-" for word in says.split()]
    assert list(got) == meant


def test_what_a_pack_said_before_the_door_was_shut_tells_nothing_of_now() -> None:
    """Its last answer is older than the question: neither there nor gone."""
    sight = SlotSight(door_open=False, present=False, pack=PACK, pack_at_ms=500, at_ms=900)
    said = witness(Track(TRAITS, sight, shut_ms=800, asked_ms=400), 800, POLICY)
    assert (said.code, said.silent, said.gone) == ("", False, False)


def test_a_slot_without_witnesses_is_neither_full_nor_empty() -> None:
    """Nothing can be said of it, so nothing is done with it."""
    blind = SlotTraits(door=True, feedback=False, presence=False, pack_link=False, charger=False, charge_power_w_max=0)
    said = witness(Track(blind, SlotSight(door_open=False, at_ms=1), asked_ms=1), 0, POLICY)
    assert not any((said.strictly_full, said.loosely_full, said.strictly_empty, said.loosely_empty, said.gone))


def test_f_61_a_door_that_bounces() -> None:
    """Open after 0.3 s without a break, shut after 2 s without one: what flickers in between is neither."""
    track, log = Track(TRAITS), []
    for now_ms in range(0, 10_000, 100):
        bounces = 3_000 <= now_ms < 4_000 and now_ms // 100 % 2 == 0
        is_it_open = 1_000 <= now_ms < 3_000 or bounces
        track = follow(track, SlotSight(door_open=is_it_open, at_ms=now_ms), now_ms, POLICY)
        log.append((now_ms, is_open(track, now_ms, POLICY), is_shut(track, now_ms, POLICY)))
    assert [now_ms for now_ms, opened, _ in log if opened] == list(range(1_300, 3_100, 100))
    assert [now_ms for now_ms, _, shut in log if shut] == list(range(5_900, 10_000, 100))


def test_a_door_that_is_not_heard_of_is_neither_open_nor_shut() -> None:
    """Its last word is too old."""
    track = follow(Track(TRAITS), SlotSight(door_open=False, at_ms=0), 0, POLICY)
    track = follow(track, SlotSight(door_open=False, at_ms=0), 11_000, POLICY)
    assert (track.open_ms, track.shut_ms) == (None, None)


def test_a_lock_s_feedback_stands_in_for_a_door_without_a_sensor() -> None:
    """Locked is shut."""
    bare = SlotTraits(door=False, feedback=True, presence=True, pack_link=True, charger=True, charge_power_w_max=600)
    assert follow(Track(bare), SlotSight(locked=True, at_ms=5), 5, POLICY).shut_ms == 5
    assert follow(Track(bare), SlotSight(locked=False, at_ms=5), 5, POLICY).open_ms == 5


def stamp(boot: bytes, mono_ms: int, wall_ms: int, quality: ClockQuality) -> Stamp:
    return Stamp(boot, mono_ms, wall_ms, quality, 0, None)


def test_f_64_a_clock_that_nobody_knows() -> None:
    """Within one boot the monotonic clock tells; over a restart only a clock that is known does."""
    then = stamp(b"boot-001", 1_000, 50_000, ClockQuality.UNKNOWN)
    assert since_ms(then, stamp(b"boot-001", 61_000, 10, ClockQuality.UNKNOWN)) == 60_000
    assert since_ms(then, stamp(b"boot-002", 5, 110_000, ClockQuality.SYNCHRONISED)) is None
    known = stamp(b"boot-001", 1_000, 50_000, ClockQuality.SYNCHRONISED)
    assert since_ms(known, stamp(b"boot-002", 5, 110_000, ClockQuality.SYNCHRONISED)) == 60_000
