"""Every kind of rider with a simple-minded gateway: where packs truly are in the end, and what doors did."""

from __future__ import annotations

import re

import pytest

from drivers.twins.cabinets.ledger import Cause
from drivers.twins.cabinets.pack import Pack, pack_code
from drivers.twins.cabinets.rider import Ride, Rider, Show, Wait
from drivers.twins.cabinets.rider_words import CASES, SCRIPTS, parse_riders, random_riders, rider
from drivers.twins.cabinets.shop import Shop
from drivers.twins.cabinets.slot import SlotMake

from .clerk_rig import Clerk

OWN, FULL, OTHER = pack_code(50), pack_code(2), pack_code(1)
HOUR_MS = 3_600_000


def a_visit(kind: str) -> tuple[Shop, Clerk, Rider]:
    """Slot 1 is empty, pack 1 stands in slot 2, pack 2, the fullest, in slot 3; ann brings pack 50."""
    shop = Shop()
    shop.add_cabinet("c", {number: SlotMake() for number in (1, 2, 3)})
    shop.stock("c", 2, Pack(pack_code(1), soc_permille=800))
    shop.stock("c", 3, Pack(pack_code(2), soc_permille=1_000))
    if kind != "rents":
        shop.bring(Pack(OWN, soc_permille=150), "ann")
    clerk, ann = Clerk(shop, "c"), rider(kind, "c", "ann", "card")
    shop.add(ann)
    shop.run(HOUR_MS)
    assert shop.audit() == []
    assert not shop.busy
    return shop, clerk, ann


# kind: how it ended, what ann has, what stands in slots 1, 2, 3
STORIES = {
    "swaps": ("swapped", [FULL], OWN, OTHER, None),
    "bounces": ("swapped", [FULL], OWN, OTHER, None),
    "shuts-empty": ("swapped", [FULL], OWN, OTHER, None),
    "takes-back": ("swapped", [FULL], OWN, OTHER, None),
    "takes-nothing": ("swapped", [FULL], OWN, OTHER, None),
    "rents": ("left open", [], None, OTHER, FULL),
    "returns": ("left open", [], OWN, OTHER, FULL),
    "walks-away": ("left open", [OWN], None, OTHER, FULL),
    "never-shuts": ("left open", [], OWN, OTHER, FULL),
    "shuts-empty-and-goes": ("not put", [OWN], None, OTHER, FULL),
    "takes-nothing-and-goes": ("not take", [], OWN, OTHER, FULL),
    "takes-and-leaves-open": ("left open", [FULL], OWN, OTHER, None),
    "brings-foreign": ("not put", [OWN, "ann-foreign"], None, OTHER, FULL),
    "brings-nameless": ("not put", [OWN, "ann-nameless"], None, OTHER, FULL),
    "brings-brick": ("not put", [OWN, "ann-brick"], None, OTHER, FULL),
    "brings-sleeping": ("not put", [OWN, "ann-sleeping"], None, OTHER, FULL),
    "puts-brick-back": ("left open", [FULL], OWN, OTHER, "ann-brick"),
    "puts-other-back": ("left open", [FULL], OWN, OTHER, "ann-other"),
    "keeps-both": ("swapped", [OWN, FULL], None, OTHER, None),
    "robs-neighbour": ("swapped", [OTHER, FULL], OWN, None, None),
    "forces": ("", [OWN, OTHER], None, None, FULL),
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_where_packs_are_in_the_end(kind: str) -> None:
    """By the ledger, which is what is; the clerk believes what it believes."""
    shop, clerk, _ann = a_visit(kind)
    how, hands, *slots = STORIES[kind]
    things = [None if slot.thing is None else slot.thing.name for slot in shop.cabinets["c"].slots.values()]
    assert sorted(thing.name for thing in shop.hands("ann")) == sorted(hands)
    assert things == slots
    assert clerk.said[:1] == ([how] if how else [])


FORCED = {"keeps-both": 1, "forces": 1, "robs-neighbour": 1}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_doors_that_were_not_opened_by_a_lock(kind: str) -> None:
    """Only thieves force doors, and only slammed ones spring back."""
    shop, _clerk, _ann = a_visit(kind)
    causes = [move.cause for move in shop.ledger.doors("c")]
    assert causes.count(Cause.FORCED) == FORCED.get(kind, 0)
    assert (Cause.SPRUNG in causes) == (kind == "bounces")
    assert causes.count(Cause.PULSE) == len(shop.ledger.pulses("c"))


def test_a_slammed_door_bounces_before_it_holds() -> None:
    """Shut three times within a second, open between."""
    shop, _clerk, _ann = a_visit("bounces")
    moves = shop.ledger.doors("c", 1)
    shut = [move.at_ms for move in moves if not move.open]
    assert len(shut) == 3
    assert shut[-1] - shut[0] < 1_000


def test_riding_uses_charge() -> None:
    """Of every pack in hand, and of none in a slot."""
    shop = Shop()
    shop.add_cabinet("c", {1: SlotMake()})
    own, other = Pack(pack_code(1)), Pack(pack_code(2))
    shop.bring(own, "ann")
    shop.stock("c", 1, other)
    shop.add(Rider("ann", "c", [Ride(60_000, 300), Wait(1_000)]))
    shop.run(30_000)
    assert shop.busy
    shop.run(60_000)
    assert (own.soc_permille, other.soc_permille, shop.busy) == (700, 1_000, False)


def test_a_rider_who_is_not_served_leaves() -> None:
    """Nobody opens a door: three minutes, and gone with the pack."""
    shop = Shop()
    shop.add_cabinet("c", {1: SlotMake()})
    shop.bring(Pack(OWN), "ann")
    ann = rider("swaps", "c", "ann")
    shop.add(ann)
    shop.run(170_000)
    assert shop.busy
    shop.run(20_000)
    assert (shop.busy, ann.gave_up, shop.hands("ann")[0].name) == (False, True, OWN)


def test_cards_are_told_to_whoever_listens() -> None:
    """At which cabinet, by whom, when."""
    shop = Shop()
    shop.add_cabinet("c", {1: SlotMake()})
    taps: list[tuple[str, str, str]] = []
    shop.taps.append(lambda tap: taps.append((tap.cabinet, tap.rider, tap.credential)))
    shop.add(Rider("ann", "c", [Show("04A1")]))
    shop.run(20)
    assert taps == [("c", "ann", "04A1")]


@pytest.mark.parametrize("seed", range(4))
def test_a_day_of_riders_at_random(seed: int) -> None:
    """Whoever comes and whatever they do, packs and truth agree; most leave with a pack. The seed names the day."""
    shop = Shop()
    cabinet = shop.add_cabinet("c", {number: SlotMake() for number in range(1, 9)})
    for number in range(2, 9):
        shop.stock("c", number, Pack(pack_code(number)))
    people = {name: f"card-{name}" for name in ("ann", "bob", "cat")}
    for number, name in enumerate(people, 50):
        shop.bring(Pack(pack_code(number)), name)
    clerk = Clerk(shop, "c")
    shop.queue(random_riders(seed, "c", people, count=25))
    shop.run(6 * HOUR_MS)
    assert shop.audit() == []
    assert not shop.busy
    assert clerk.said.count("swapped") >= 3
    fleet = [name for name in shop.ledger.places if "FTIL" in name and "-" not in name]
    assert len(fleet) == 10
    assert len(cabinet.doors_open) == 0


def test_the_same_seed_brings_the_same_people() -> None:
    """And another seed brings others."""

    def names(seed: int) -> list[tuple[str, str]]:
        return [(one.name, one.kind) for one in random_riders(seed, "c", {"ann": "1", "bob": "2"}, count=40)]

    assert names(1) == names(1) != names(2)


def test_riders_in_words() -> None:
    """Kinds with people, in order; an unknown one names all there are."""
    people = {"ann": "1", "bob": "2"}
    some = list(parse_riders(["swaps", "forces:bob"], 0, "c", people))
    assert [(one.kind, one.name) for one in some] == [("swaps", "ann"), ("forces", "bob")]
    endless = parse_riders(["swaps:bob", "random:1000"], 0, "c", people)
    assert len([next(endless) for _ in range(20)]) == 20
    for wrong in ("swims", "swaps:eve", "random:soon"):
        with pytest.raises(ValueError, match=re.escape("shuts-empty[:NAME]")):
            parse_riders([wrong], 0, "c", people)


def test_every_kind_has_its_cases_and_its_story() -> None:
    """And each case is one of the facts'."""
    assert CASES.keys() == SCRIPTS.keys() == STORIES.keys()
    assert all(re.fullmatch(r"F-\d\d", case) for cases in CASES.values() for case in cases)
