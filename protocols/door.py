"""At the door: plain data from a file becomes typed frozen values, or a list of every fault in it.

Used for the site's config, device profiles and tariffs. Types are frozen msgspec structs; ranges stand in
`Annotated[int, msgspec.Meta(ge=..., le=...)]`, choices in `Literal` or enums.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake: where it is, what was expected there, what was found, and what to do next."""

    path: str
    expected: str
    got: str
    remedy: str = ""

    def __str__(self) -> str:
        tail = f" {self.remedy}" if self.remedy else ""
        return f"{self.path or '(top level)'}: expected {self.expected}, got {self.got}.{tail}"


class Refused(ValueError):
    """The data does not become the wanted value. `faults` holds every mistake, never only the first."""

    def __init__(self, source: str, faults: list[Fault]) -> None:
        self.source = source
        self.faults = faults
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"{source}: {len(faults)} fault{'s' if len(faults) != 1 else ''}\n{lines}")


def toml_table(data: bytes, *, source: str) -> dict[str, Any]:
    """The table that a TOML file's bytes write. Raises Refused for what is none."""
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not TOML, a number too long
        raise Refused(source, [Fault("", "a TOML file", str(error))]) from error


def admit(data: Mapping[str, Any], into: type[S], *, source: str) -> S:
    """Convert `data` into `into`, or raise Refused with all faults. `source` names the file for the person."""
    value, faults = check(data, into)
    if faults or value is None:
        raise Refused(source, faults)
    return value


def check(data: object, into: type[S], path: str = "") -> tuple[S | None, list[Fault]]:
    """The value and no faults, or None and every fault found below `path`."""
    value, faults = _check(data, into, path)
    return (None, faults) if faults else (value, faults)


def _check(data: object, into: Any, path: str) -> tuple[Any, list[Fault]]:
    """Walk structs, lists and tables by hand so that one fault does not hide the next; leaves go to msgspec."""
    into, optional = _without_none(into)
    if data is None and optional:
        return None, []
    if isinstance(into, type) and issubclass(into, msgspec.Struct):
        return _check_struct(data, into, path)
    origin, arguments = get_origin(into), get_args(into)
    if origin in (list, tuple) and isinstance(data, list) and (origin is list or arguments[-1:] == (Ellipsis,)):
        pairs = [_check(item, arguments[0], f"{path}[{index}]") for index, item in enumerate(data)]
        faults = [fault for _, found in pairs for fault in found]
        return ([] if faults else origin(value for value, _ in pairs)), faults
    if origin is dict and isinstance(data, Mapping):
        table = {key: _check(item, arguments[1], _join(path, str(key))) for key, item in data.items()}
        faults = [fault for _, found in table.values() for fault in found]
        return ({} if faults else {key: value for key, (value, _) in table.items()}), faults
    try:
        return msgspec.convert(data, into, strict=True), []
    except msgspec.ValidationError as error:
        return None, [_leaf_fault(path, data, into, str(error))]


def _check_struct(data: object, into: type[msgspec.Struct], path: str) -> tuple[Any, list[Fault]]:
    if not isinstance(data, Mapping):
        return None, [Fault(path, "a table", _show(data))]
    fields = _fields(into)
    faults: list[Fault] = []
    for key in data:
        if key not in fields:
            near = get_close_matches(str(key), fields, n=1)
            remedy = f"Did you mean `{near[0]}`?" if near else "Remove it."
            faults.append(Fault(_join(path, str(key)), f"one of {', '.join(sorted(fields))}", "an unknown key", remedy))
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key in data:
            value, found = _check(data[key], field.type, _join(path, key))
            faults += found
            values[field.name] = value
        elif field.required:
            faults.append(Fault(_join(path, key), _describe(field.type), "nothing", "Add it."))
    if faults:
        return None, faults
    try:
        return into(**values), []
    except ValueError as error:  # a struct's own __post_init__ refuses a combination
        return None, [Fault(path, "values that fit together", str(error))]


@cache
def _fields(into: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """By the name in the file. Looking them up costs more than checking them."""
    return {field.encode_name: field for field in msgspec.structs.fields(into)}


def _leaf_fault(path: str, data: object, into: Any, message: str) -> Fault:
    allowed = _choices(into)
    if allowed:
        near = get_close_matches(str(data), allowed, n=1)
        return Fault(path, f"one of {', '.join(allowed)}", _show(data), f"Did you mean `{near[0]}`?" if near else "")
    expected = _description(into) or message.removeprefix("Expected ").split(", got ")[0].split(" - at `$")[0]
    return Fault(path, expected, _show(data))


def _description(into: Any) -> str:
    """What `msgspec.Meta(description=...)` says of a type, in words for a person; "" where it says nothing."""
    said = [note.description for note in getattr(into, "__metadata__", ()) if isinstance(note, msgspec.Meta)]
    return next((words for words in said if words), "")


def _choices(into: Any) -> list[str]:
    if get_origin(into) is Literal:
        return [str(choice) for choice in get_args(into)]
    members = getattr(into, "__members__", None)
    return [str(member.value) for member in members.values()] if members else []


def _describe(into: Any) -> str:
    into, _ = _without_none(into)
    allowed = _choices(into)
    if allowed:
        return f"one of {', '.join(allowed)}"
    if get_origin(into) is Annotated:
        into = get_args(into)[0]
    return {"str": "text", "int": "a whole number", "bool": "true or false"}.get(
        getattr(into, "__name__", ""), "a value"
    )


def _without_none(into: Any) -> tuple[Any, bool]:
    arguments = get_args(into)
    if type(None) in arguments and len(arguments) == 2:
        return next(a for a in arguments if a is not type(None)), True
    return into, False


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _show(data: object) -> str:
    text = repr(data)
    return text if len(text) <= 60 else f"{text[:57]}..."
