"""A form acts once, from the page that it was shown on, and soon; and only so often."""

from __future__ import annotations

import pytest

from edge.page.visits import KEYS_MAX, VISIT_S, Limit, Visits

NOW_MS = 5_000_000


def test_a_visit_acts_once() -> None:
    """The same form sent again does nothing."""
    visits = Visits()
    token = visits.token("open rack.3", NOW_MS)
    assert visits.spend("open rack.3", token, NOW_MS + 1)
    assert not visits.spend("open rack.3", token, NOW_MS + 2)


def test_two_visits_are_two() -> None:
    """Two tabs, each with its own."""
    visits = Visits()
    one, other = (visits.token("open rack.3", NOW_MS) for _ in range(2))
    assert one != other
    assert visits.spend("open rack.3", one, NOW_MS)
    assert visits.spend("open rack.3", other, NOW_MS)


def test_it_is_for_one_act_at_one_place() -> None:
    """A token of another locker, or of another daemon, is none; refused, it is not spent."""
    visits = Visits()
    token = visits.token("open rack.3", NOW_MS)
    assert not visits.spend("open rack.4", token, NOW_MS)
    assert not Visits().spend("open rack.3", token, NOW_MS)
    assert visits.spend("open rack.3", token, NOW_MS)


def test_it_grows_old() -> None:
    """Half an hour; and what has been spent is forgotten no sooner than it would be refused for its age."""
    visits = Visits()
    fresh, old = (visits.token("end hz-1/1/7", NOW_MS) for _ in range(2))
    later_ms = NOW_MS + VISIT_S * 1000
    assert visits.spend("end hz-1/1/7", fresh, later_ms)
    assert not visits.spend("end hz-1/1/7", fresh, later_ms)
    assert not visits.spend("end hz-1/1/7", old, later_ms + 1_000)


@pytest.mark.parametrize("token", ["", ".", "..", "zz.00.AAAA", "1.2", "é.ü.ö", "9" * 4_000])
def test_whatever_else_comes(token: str) -> None:
    """It is refused, and nothing more."""
    assert not Visits().spend("open rack.3", token, NOW_MS)


def test_a_limit() -> None:
    """So many in so long, each key by itself; one that was none is forgiven."""
    limit = Limit(2, 60)
    for at_ms in (0, 30_000):
        assert not limit.reached("a", at_ms)
        limit.count("a", at_ms)
    assert limit.reached("a", 59_999)
    assert not limit.reached("b", 59_999)
    assert not limit.reached("a", 60_000)
    limit.count("a", 60_000)
    assert limit.reached("a", 60_001)
    limit.forgive("a")
    assert not limit.reached("a", 60_001)


def test_many_addresses_cost_little() -> None:
    """The oldest is forgotten; the one that goes on asking is not."""
    limit = Limit(2, 60)
    limit.count("me", 0)
    for number in range(KEYS_MAX):
        limit.count("me", 0)
        limit.count(f"other {number}", 0)
    assert limit.reached("me", 1)
