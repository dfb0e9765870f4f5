"""Hot lists: exact, searchable at size, and no patch leads anywhere but to what was signed."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.trade import hotlist
from protocols.trade.codec import NotCanonical, encode
from protocols.trade.hotlist import BadHotList, HotList

credentials = st.sets(st.binary(min_size=8, max_size=8), max_size=30)


def cards(first: int, after: int) -> list[bytes]:
    return [hashlib.sha256(str(number).encode()).digest()[:8] for number in range(first, after)]


@given(credentials, st.binary(min_size=8, max_size=8))
def test_who_is_on_the_list(listed: set[bytes], other: bytes) -> None:
    """Exactly those who were put there: nobody is refused by chance."""
    hot = hotlist.make(1, 0, 1, listed)
    assert all(hotlist.contains(hot, one) for one in listed)
    assert hotlist.contains(hot, other) == (other in listed)
    assert not hotlist.contains(hot, b"")


@given(credentials, credentials)
def test_a_patch_leads_from_one_list_to_the_other(before: set[bytes], after: set[bytes]) -> None:
    """To the very bytes, so that the signature over the whole list holds."""
    old, new = hotlist.make(4, 100, 1, before), hotlist.make(9, 200, 1, after)
    change = hotlist.patch(old, new)
    assert change is not None
    assert encode(hotlist.apply(old, hotlist.read_patch(hotlist.write_patch(change)))) == encode(new)


def test_a_hundred_thousand_cards() -> None:
    """800 kB whole; a day's hundred changes travel in 0.8 kB."""
    old = hotlist.make(1, 0, 1, cards(0, 100_000))
    new = hotlist.make(2, 0, 1, cards(40, 100_060))
    assert len(encode(old)) == 800_000 + 9
    assert hotlist.read(encode(old)) == old
    change = hotlist.patch(old, new)
    assert change is not None
    assert len(hotlist.write_patch(change)) == 100 * 8 + 11
    later = hotlist.apply(old, change)
    assert later == new
    for number in (0, 39, 40, 70_000, 100_059, 100_060):
        card = cards(number, number + 1)[0]
        assert (hotlist.contains(old, card), hotlist.contains(later, card)) == (
            number < 100_000,
            40 <= number < 100_060,
        )


def test_lists_of_different_keys_have_no_patch() -> None:
    """Under another key every card has another number; and nothing leads back."""
    old = hotlist.make(1, 0, 1, cards(0, 5))
    assert hotlist.patch(old, hotlist.make(2, 0, 2, cards(0, 5))) is None
    assert hotlist.patch(old, old) is None


OLD = hotlist.make(4, 0, 1, cards(0, 5))
CHANGE = hotlist.patch(OLD, hotlist.make(5, 0, 1, cards(1, 6)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"base": 3},
        {"key_version": 2},
        {"version": 4},
        {"added": cards(0, 1)[0]},  # is there already
        {"removed": cards(7, 8)[0]},  # is not there
        {"added": bytes(7)},
        {"added": bytes(16)},  # one entry twice
    ],
)
def test_a_patch_that_does_not_fit_is_refused(wrong: dict[str, object]) -> None:
    """The list in use stays; the site fetches the whole new one."""
    assert CHANGE is not None
    with pytest.raises(BadHotList):
        hotlist.apply(OLD, msgspec.structs.replace(CHANGE, **wrong))


@pytest.mark.parametrize("entries", [bytes(7), bytes(16), b"\x02" * 8 + b"\x01" * 8])
def test_a_list_out_of_order_is_no_list(entries: bytes) -> None:
    """Halving would miss a card on it."""
    with pytest.raises(BadHotList):
        hotlist.read(encode(HotList(1, 0, 1, entries)))


@given(st.binary(max_size=100))
def test_noise_is_no_list(noise: bytes) -> None:
    """Nor a patch."""
    for read in (hotlist.read, hotlist.read_patch):
        with pytest.raises((NotCanonical, BadHotList)):
            read(noise)
