"""Conditions and state rules: what is true, what is false, and what nobody knows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Iec61851
from drivers.profile_load import load
from drivers.profile_state import Value, parse, render, rules_of

KINDS = {"state": "number", "cable": "number", "power": "number", "firmware": "text", "unknown": "number"}
VALUES: dict[str, Value] = {"state": 5, "cable": 0x111, "power": Fraction(23, 10), "firmware": "V5.22.1"}
PROFILES = sorted((Path(__file__).parents[2] / "drivers" / "profiles").glob("*.toml"))
CHARGERS = [profile for path in PROFILES if (profile := load(path)).device.kind == "charger"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("state == 5", True),
        ("state != 5", False),
        ("4 < state <= 5", True),
        ("state in [2, 5]", True),
        ("state not in [2, 5]", False),
        ("state == -1", False),
        ("power >= 2", True),
        ("bit(cable, 4)", True),
        ("bit(cable, 1)", False),
        ("cable & 0x100 != 0 and state == 5", True),
        ("not state == 5", False),
        ("firmware == 'V5.22.1'", True),
        ("firmware in ['A', 'B']", False),
        ("version(firmware) >= version('5.22')", True),
        ("version(firmware) >= version('5.100')", False),
        ("present(firmware)", True),
        ("present(unknown)", False),
        ("unknown == 1", None),
        ("not unknown == 1", None),
        ("bit(unknown, 1)", None),
        ("unknown in [1]", None),
        ("unknown not in [1]", None),
        ("unknown == 1 and state == 4", False),
        ("unknown == 1 and state == 5", None),
        ("unknown == 1 or state == 5", True),
        ("unknown == 1 or state == 4", None),
        ("4 < state < unknown", None),
        ("bit(power, 1)", None),
    ],
)
def test_condition(condition: str, holds: bool | None) -> None:
    """Three answers: true, false, not known."""
    assert parse(condition, KINDS).holds(VALUES) is holds


@pytest.mark.parametrize(
    ("condition", "complaint"),
    [
        ("state ==", "not a condition"),
        ("stat == 5", "'stat' is not a point"),
        ("state", "compare it with something"),
        ("state and cable", "not a condition"),
        ("state == '5'", "cannot be compared"),
        ("state in ['A']", "never in a list"),
        ("state in cable", "needs a list"),
        ("state in [cable]", "numbers or texts only"),
        ("state is 5", "use == !="),
        ("state == True", "write 1 or 0"),
        ("state + 1 == 5", "not allowed"),
        ("__import__('os')", "functions are"),
        ("state.real == 1", "not allowed"),
        ("bit(state, 64)", "functions are"),
        ("bit(firmware, 1)", "not a number"),
        ("version(state) == version('1')", "reads a text"),
        ("[s for s in [1]] == 1", "not allowed"),
        ("(lambda: 1)() == 1", "not allowed"),
        ("state == 1.5", "not allowed"),
    ],
)
def test_what_is_no_condition_is_refused(condition: str, complaint: str) -> None:
    """Nothing but the grammar gets in, and the complaint says what to do."""
    with pytest.raises(ValueError, match=complaint):
        parse(condition, KINDS)


@pytest.mark.parametrize("profile", CHARGERS, ids=lambda profile: profile.id)
@given(data=st.data())
def test_nothing_unknown_becomes_charging(profile, data) -> None:  # type: ignore[no-untyped-def]  # given by fixture and hypothesis
    """With every point that decides unknown, or the deciding one beyond all rules, the state is F."""
    rules = rules_of(profile)
    assert rules.decide({})[0] is Iec61851.F
    names = {name for condition, _, _ in rules.rules for name in condition.names}
    texts = {name for name in names if profile.points[name].type == "ascii"}
    strange = {name: "??" if name in texts else data.draw(st.integers(200, 250)) for name in names}
    assert rules.decide(strange)[0] not in (Iec61851.C, Iec61851.D)


def test_an_unknown_rule_does_not_let_a_weaker_one_decide() -> None:
    """ABB state 5 with the cable unknown is F, not A, though the last rule would say A."""
    profile = load(Path(__file__).parents[2] / "drivers/profiles/abb-terra-ac.toml")
    assert rules_of(profile).decide({"error": 0, "state": 5, "cable": None}) == (Iec61851.F, "unknown: cable")


def test_the_reason_is_the_vendors_word() -> None:
    """The word of the deciding point where the profile has one, else its number."""
    profile = load(Path(__file__).parents[2] / "drivers/profiles/heidelberg-energy-control.toml")
    assert rules_of(profile).decide({"state": 7}) == (Iec61851.C, "C2")
    assert rules_of(profile).decide({"state": 99}) == (Iec61851.F, "no rule for state=99")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (Fraction(16), "16"), (Fraction(1, 10), "0.1"), (Fraction(1, 3), "0.333333"), ("C2", "C2")],
)
def test_render(value: Value, text: str) -> None:
    """Values for a person; unknown is a dash, not a zero."""
    assert render(value) == text
