"""Tables of a fold: copied for each change, or, where one fold alone has them, changed in place."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Own(dict[K, V]):
    """A table that one fold alone has, so that it may be changed in place: `fold.apply` to a state with such tables
    takes the same time however many entries there are. The state before is then worth nothing."""


def put(table: dict[K, V], key: K, value: V) -> dict[K, V]:
    """The table with this entry: itself where it may be changed, else another one."""
    if type(table) is Own:
        table[key] = value
        return table
    return {**table, key: value}


def drop(table: dict[K, V], key: K) -> dict[K, V]:
    """The table without this entry, which may be missing already."""
    if key not in table:
        return table
    if type(table) is Own:
        del table[key]
        return table
    return {other: value for other, value in table.items() if other != key}
