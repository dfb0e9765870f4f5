"""How does a profile file become a checked Profile, or a list of every fault in it?"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from drivers import profile_check
from drivers.profile import About, Links, Point, Profile
from protocols.door import Fault, Refused, check


def load(path: Path, overrides: Mapping[str, Any] | None = None) -> Profile:
    """The profile in `path`, with `overrides` ("command.max" -> 16) laid over it. Refused holds every fault."""
    return parse(path.read_text(encoding="utf-8"), source=str(path), overrides=overrides)


def parse(text: str, *, source: str, overrides: Mapping[str, Any] | None = None) -> Profile:
    """As `load`, from text. `source` names the file for the person."""
    try:
        data = tomllib.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:  # ValueError: not TOML, or a number too long
        raise Refused(source, [Fault("", "TOML", str(error))]) from None
    for path, value in (overrides or {}).items():
        _lay_over(data, path.split("."), value)
    profile, faults = check(data, Profile)
    whole = profile if profile is not None else _what_is_sound(data)
    faults += profile_check.faults(whole, frozenset(data.get("points", {})))
    if faults or profile is None:
        raise Refused(source, faults)
    return profile


def _lay_over(data: dict[str, Any], path: list[str], value: object) -> None:
    for key in path[:-1]:
        below = data.setdefault(key, {})
        if not isinstance(below, dict):
            below = data[key] = {}
        data = below
    data[path[-1]] = str(value) if isinstance(value, float) else value


def _what_is_sound(data: Mapping[str, Any]) -> Profile:
    """The sections that stand on their own, so that faults between them are found in the same run."""
    sections: dict[str, Any] = {
        "device": About("?", "meter", "?", (), "?", "low"),
        "link": Links(),
        "points": {},
    }
    for field in msgspec.structs.fields(Profile):
        one = msgspec.defstruct("One", [(field.name, field.type)], frozen=True)
        if field.name in data and field.name != "points":
            value, faults = check({field.name: data[field.name]}, one)
            if value is not None and not faults:
                sections[field.name] = getattr(value, field.name)
    raw_points = data.get("points", {})
    for name, raw in raw_points.items() if isinstance(raw_points, Mapping) else ():
        point, _ = check(raw, Point)
        if point is not None:
            sections["points"][name] = point
    return Profile(**sections)
