"""What a slot's witnesses mean together, and when a door is open or shut: tables, without a cabinet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.cabinet import PackWord, SlotSight, SlotTraits
from edge.till.swap.packs import as_seen
from edge.till.swap.policy import SwapPolicy
from edge.till.swap.rescan import since_ms
from edge.till.swap.slots import Track, empty_of_late, follow, is_open, is_shut, lately, listen, witness
from protocols.fieldbus.pack import PackReading
from protocols.trade.records import ClockQuality, Stamp

POLICY = SwapPolicy()
TRAITS = SlotTraits(door=True, feedback=True, presence=True, pack_link=True, charger=True, charge_power_w_max=600)
NO_SWITCH = SlotTraits(door=True, feedback=True, presence=False, pack_link=True, charger=True, charge_power_w_max=600)
PACK = PackReading(serial="bt106002512nntb211118182", voltage_mv=66_000)
MUTE = PackReading(voltage_mv=66_000)
FLAT = PackReading(serial="BT106002512NNTB211118182", voltage_mv=39_000)

W = PackWord

# what the switch says, what the link says, whether silence has a reason (`vouched`), then: strictly and loosely full,
# strictly and loosely empty, surely gone
TABLE = [
    (TRAITS, True, PACK, False, "full full - - -"),
    (TRAITS, True, MUTE, False, "- full - - -"),
    (TRAITS, True, FLAT, False, "- full - - -"),
    (TRAITS, True, W.SILENT, False, "- full - empty -"),
    (TRAITS, False, PACK, False, "- full - empty -"),
    (TRAITS, False, W.SILENT, False, "- - empty empty gone"),
    (TRAITS, False, W.VACANT, False, "- - empty empty gone"),
    (TRAITS, False, W.DEAD, True, "- - - empty -"),
    (TRAITS, False, W.NOISE, True, "- - - empty -"),
    (TRAITS, False, W.UNASKED, True, "- - - empty -"),
    (TRAITS, None, PACK, False, "- full - - -"),
    (TRAITS, None, W.SILENT, True, "- - - empty -"),
    (NO_SWITCH, None, PACK, False, "full full - - -"),
    (NO_SWITCH, None, W.SILENT, False, "- - - empty -"),
    (NO_SWITCH, None, W.SILENT, True, "- - empty empty gone"),
    (NO_SWITCH, None, W.VACANT, False, "- - empty empty gone"),
    (NO_SWITCH, None, W.DEAD, True, "- - - - -"),
    (NO_SWITCH, None, W.NOISE, True, "- - - - -"),
    (NO_SWITCH, None, W.UNASKED, True, "- - - - -"),
]


def sight_of(link: PackReading | PackWord, present: bool | None = None, *, at_ms: int = 500) -> SlotSight:
    """A shut slot whose link was asked at this instant."""
    sight = SlotSight(door_open=False, present=present, pack_asked_ms=at_ms, at_ms=at_ms)
    if isinstance(link, PackWord):
        return replace(sight, pack_word=link)
    return replace(sight, pack=link, pack_at_ms=at_ms, pack_word=W.SAID)


@pytest.mark.parametrize(("traits", "present", "link", "vouched", "says"), TABLE)
def test_the_predicates_are_not_each_others_opposites(
    traits: SlotTraits, present: bool | None, link: PackReading | PackWord, vouched: bool, says: str
) -> None:
    """A wrong empty gives a pack away, a wrong full loses one; a broken witness says neither."""
    track = Track(traits, sight_of(link, present), shut_ms=0, asked_ms=500, vouched=vouched)
    said = witness(track, 100, POLICY)
    got = (said.strictly_full, said.loosely_full, said.strictly_empty, said.loosely_empty, said.gone)
    meant = [word != "-" for word in says.split()]
    assert list(got) == meant


def test_what_a_pack_said_before_the_door_was_shut_tells_nothing_of_now() -> None:
    """Its last answer is older than the question: neither there nor gone."""
    sight = replace(sight_of(PACK, False), at_ms=900)
    said = witness(Track(TRAITS, sight, shut_ms=800, asked_ms=400), 800, POLICY)
    assert (said.code, said.silent, said.gone) == ("", False, False)


def test_a_slot_without_witnesses_is_neither_full_nor_empty() -> None:
    """Nothing can be said of it, so nothing is done with it."""
    blind = SlotTraits(door=True, feedback=False, presence=False, pack_link=False, charger=False, charge_power_w_max=0)
    said = witness(Track(blind, SlotSight(door_open=False, at_ms=1), asked_ms=1), 0, POLICY)
    assert not any((said.strictly_full, said.loosely_full, said.strictly_empty, said.loosely_empty, said.gone))


def seen(traits: SlotTraits, *looks: tuple[int, bool, PackReading | PackWord], vouched: bool = False) -> Track:
    """A slot after these looks: when, whether its door is open, and what its link said then."""
    track, spoke_ms = Track(traits, vouched=vouched), None
    for now_ms, is_it_open, link in looks:
        sight = replace(sight_of(link, at_ms=now_ms), door_open=is_it_open)
        spoke_ms = spoke_ms if sight.pack_at_ms is None else sight.pack_at_ms
        track = follow(track, replace(sight, pack_at_ms=spoke_ms), now_ms, POLICY)
    return track


SHUT, OPEN = False, True
STORIES = {
    "never heard of": ([(0, SHUT, W.SILENT), (1_000, SHUT, W.SILENT)], False, False),
    "the log has it empty": ([(0, SHUT, W.SILENT)], True, True),
    "empty by the log, and its line is dead": ([(0, SHUT, W.DEAD)], True, False),
    "it spoke, and fell silent behind its shut door": ([(0, SHUT, PACK), (9_000, SHUT, W.SILENT)], False, False),
    "it spoke until the door was opened": (
        [(0, SHUT, PACK), (900, OPEN, PACK), (1_500, OPEN, PACK), (2_000, SHUT, W.SILENT)],
        False,
        True,
    ),
    "the door flickered, and it fell silent": (
        [(0, SHUT, PACK), (900, OPEN, PACK), (1_000, SHUT, PACK), (2_000, SHUT, W.SILENT)],
        False,
        False,
    ),
    "it slept when the door was opened": (
        [(0, SHUT, PACK), (900, SHUT, W.SILENT), (1_000, OPEN, W.SILENT), (2_000, OPEN, W.SILENT)],
        False,
        False,
    ),
    "another one came, and fell silent": (
        [(0, OPEN, PACK), (900, OPEN, PACK), (2_000, SHUT, PACK), (9_000, SHUT, W.SILENT)],
        False,
        False,
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_slot_without_a_switch_is_empty_only_where_its_silence_has_a_reason(name: str) -> None:
    """A sleeping pack, a cut wire and an empty slot are silent alike."""
    looks, vouched, empty = STORIES[name]
    track = seen(NO_SWITCH, *looks, vouched=vouched)
    assert lately(track, looks[-1][0], POLICY).strictly_empty is empty


def test_all_slots_of_one_line_silent_at_once_is_a_dead_line() -> None:
    """Two packs that stood behind shut doors speak no more, and nobody else does: no silence on that line counts."""
    on_a = replace(NO_SWITCH, pack_line="a")
    gone_silent = seen(on_a, (0, SHUT, PACK), (9_000, SHUT, W.SILENT))
    empty = seen(on_a, (0, SHUT, W.SILENT), vouched=True)
    speaks = seen(on_a, (9_000, SHUT, PACK))
    elsewhere = seen(replace(NO_SWITCH, pack_line="b"), (9_000, SHUT, PACK))

    def empty_among(*others: Track) -> bool:
        tracks = listen(dict(enumerate((empty, *others))))
        return lately(tracks[0], 9_000, POLICY).strictly_empty

    assert empty_among(gone_silent)  # one may sleep
    assert not empty_among(gone_silent, gone_silent)
    assert not empty_among(gone_silent, gone_silent, elsewhere)
    assert empty_among(gone_silent, gone_silent, speaks)


def test_an_empty_slot_is_known_to_be_one_while_its_door_stays_shut() -> None:
    """Asked with the door shut, and not too long ago; whatever speaks against it now still counts."""
    silent = sight_of(W.SILENT, False, at_ms=5_000)
    track = Track(TRAITS, silent, shut_ms=4_000)
    assert empty_of_late(track, 50_000, POLICY)
    assert not empty_of_late(track, 50_001, POLICY)
    assert not empty_of_late(replace(track, shut_ms=5_001), 6_000, POLICY)
    assert not empty_of_late(replace(track, shut_ms=None, open_ms=5_500), 6_000, POLICY)
    assert not empty_of_late(replace(track, sight=replace(silent, present=True)), 6_000, POLICY)
    assert not empty_of_late(replace(track, sight=sight_of(W.DEAD, False, at_ms=5_000)), 6_000, POLICY)


def test_a_code_has_room_in_a_record() -> None:
    """Whatever a pack says of itself: the witness names it as its records do."""
    long = replace(PACK, serial="\u00df" * 40)
    assert witness(Track(TRAITS, sight_of(long, True)), 0, POLICY).code == "SS" * 32
    assert as_seen(long).code == "SS" * 32


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


def test_f_64_a_clock_that_was_set_back() -> None:
    """It contradicts the log, and says nothing; by the time for which the box is up, and proven bounds, it does."""
    known = ClockQuality.SYNCHRONISED
    then = stamp(b"boot-001", 1_000, 7_200_000, known)
    assert since_ms(then, stamp(b"boot-002", 60_000, 3_600_000, known)) is None
    assert since_ms(then, stamp(b"boot-002", 3_660_000, 7_260_000, known)) == 3_660_000
    bounded = Stamp(b"boot-001", 1_000, 7_200_000, known, 7_199_000, 7_201_000)
    later = Stamp(b"boot-002", 5, 7_200_500, known, 9_201_000, None)
    assert since_ms(bounded, later) == 2_000_000
