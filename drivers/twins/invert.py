"""Which values must a device show so that its profile's own conditions come out as wanted? Conditions run backwards.

The constants that stand in the conditions are tried, with their neighbours, and each try is checked by the conditions
themselves: what comes out is right by construction.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from itertools import islice, product

from drivers.api import Iec61851
from drivers.profile import Profile
from drivers.profile_decode import Codec, codec
from drivers.profile_state import Rules, Value, kinds_of, parse, rules_of

TRIES_MAX = 200_000  # profiles look at one to four points of a few values each; beyond this the answer is None


class Inverter:
    """Finds the values of a charger's state points. `free`: points that may be chosen; all others are given."""

    def __init__(self, profile: Profile, free: Iterable[str]) -> None:
        self._rules: Rules = rules_of(profile)
        seen = dict.fromkeys(name for condition, _, _ in self._rules.rules for name in condition.names)
        self.free = tuple(name for name in seen if name in set(free))
        self._given = tuple(name for name in seen if name not in self.free)
        texts = [condition.text for condition, _, _ in self._rules.rules]
        self._candidates = {name: candidates(profile, name, texts) for name in self.free}
        self._known: dict[tuple[Iec61851, tuple[Value, ...]], dict[str, Value] | None] = {}

    def values_for(self, wanted: Iec61851, given: Mapping[str, Value]) -> dict[str, Value] | None:
        """Values of the free points under which the rules say `wanted`; None when there are none."""
        key = wanted, tuple(given.get(name) for name in self._given)
        if key not in self._known:
            if len(self._known) > 256:  # a rule that looks at power would fill it for ever
                self._known.clear()
            self._known[key] = self._search(wanted, given)
        return self._known[key]

    def _search(self, wanted: Iec61851, given: Mapping[str, Value]) -> dict[str, Value] | None:
        fallback = None
        for values in islice(product(*self._candidates.values()), TRIES_MAX):
            chosen = dict(zip(self.free, values, strict=True))
            iec, reason = self._rules.decide({**given, **chosen})
            if iec is wanted:
                if not reason.startswith(("no rule", "unknown")):  # F by a rule is better than F by default
                    return chosen
                fallback = fallback or chosen
        return fallback


def identity(profile: Profile, fixed: Mapping[str, Value]) -> dict[str, Value]:
    """Values of the `once` points (model, firmware, layout) under which most of the profile's points exist.

    fixed: values that are decided already. The points that answer `gives` count most.
    """
    conditions = {name: parse(point.when, kinds_of(profile)) for name, point in profile.points.items() if point.when}
    names = dict.fromkeys(name for condition in conditions.values() for name in condition.names)
    texts = [condition.text for condition in conditions.values()]
    free = [name for name in names if name not in fixed]
    gives = {*profile.gives.register, *profile.gives.power, *profile.gives.current, *profile.gives.limit}
    best: tuple[int, dict[str, Value]] = (-1, {})
    for values in islice(product(*(candidates(profile, name, texts) for name in free)), TRIES_MAX):
        chosen = {**fixed, **dict(zip(free, values, strict=True))}
        score = sum(1000 if name in gives else 1 for name, c in conditions.items() if c.holds(chosen))
        if score > best[0]:
            best = score, chosen
    return best[1]


def candidates(profile: Profile, name: str, texts: Iterable[str]) -> list[Value]:
    """What point `name` could be: constants of the conditions that look at it, their neighbours, and 0 or the id."""
    found: dict[Value, None] = {}
    text_point = kinds_of(profile)[name] == "text"
    for constant, is_bit in _constants(texts, name):
        if text_point and isinstance(constant, str):
            found[constant] = None
        elif not text_point and isinstance(constant, int):
            found |= dict.fromkeys([1 << constant] if is_bit else [constant, constant + 1, constant - 1])
    found |= dict.fromkeys([profile.id[:4]] if text_point else [0])
    way = codec(profile, profile.points[name])
    return [value for value in found if _shows(way, value)]


def _constants(texts: Iterable[str], name: str) -> Iterable[tuple[object, bool]]:
    """Constants that `name` is compared with, in order; True with those that are the place of a bit."""
    for text in texts:
        for node in ast.walk(ast.parse(text, mode="eval")):
            if not isinstance(node, ast.Compare | ast.Call):
                continue
            inside = list(ast.walk(node))
            if any(isinstance(part, ast.Name) and part.id == name for part in inside):
                is_bit = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "bit"
                yield from ((part.value, is_bit) for part in inside if isinstance(part, ast.Constant))


def _shows(way: Codec, value: Value) -> bool:
    """Whether the point can hold this value."""
    try:
        return way.decode(way.encode(value)) == value
    except ValueError:
        return False
