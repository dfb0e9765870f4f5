"""How does hypothesis draw a value of any Wire struct? From the very annotations that the decoder checks."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

from protocols.trade.codec import Wire, encode

_SMALL = 40
"""Longest text or bytes drawn where no shorter limit is set; what is long is tried elsewhere."""


def encoded(kind: type[Wire]) -> st.SearchStrategy[bytes]:
    """The encoding of any value of this struct."""
    return of(inspect.type_info(kind)).map(encode)


def kinds() -> list[type[Wire]]:
    """Every struct that is signed, stored or sent, by name."""
    found: set[type[Wire]] = set()
    waiting: list[type[Wire]] = [Wire]
    while waiting:
        below = waiting.pop().__subclasses__()
        found.update(below)
        waiting += below
    return sorted((kind for kind in found if kind.__module__.startswith("protocols.")), key=lambda kind: kind.__name__)


def of(info: inspect.Type) -> st.SearchStrategy[Any]:
    """Values of one msgspec type."""
    match info:
        case inspect.StructType():
            fields = {field.name: of(field.type) for field in info.fields}
            return st.builds(info.cls, **fields)
        case inspect.ListType() | inspect.VarTupleType():
            least, most = info.min_length or 0, min(info.max_length or 3, 3)
            drawn = st.lists(of(info.item_type), min_size=least, max_size=max(least, most))
            return drawn if isinstance(info, inspect.ListType) else drawn.map(tuple)
        case inspect.UnionType():
            return st.one_of([of(each) for each in info.types])
        case inspect.EnumType():
            return st.sampled_from(list(info.cls))
        case inspect.LiteralType():
            return st.sampled_from(list(info.values))
        case inspect.IntType():
            least = info.ge if info.ge is not None else info.gt + 1 if info.gt is not None else -(2**63)
            most = info.le if info.le is not None else info.lt - 1 if info.lt is not None else 2**64 - 1
            return st.integers(least, most) | st.sampled_from([least, most])
        case inspect.StrType():
            most = min(info.max_length or _SMALL, _SMALL)
            least = info.min_length or 0
            if info.pattern is not None:
                return st.from_regex(info.pattern, fullmatch=True)
            return st.text(st.characters(codec="utf-8"), min_size=least, max_size=max(least, most))
        case inspect.BytesType():
            least = info.min_length or 0
            return st.binary(min_size=least, max_size=max(least, min(info.max_length or _SMALL, _SMALL)))
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case _:
            raise NotImplementedError(f"no way to draw {info}")
