"""Which faults are in force on one simulated device, and which of them hit now? For devices of any kind."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from random import Random
from typing import Annotated, Any, Generic, TypeVar

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1)]
Permille = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class AnyFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order to go wrong. count: how often; None: until cleared. chance_permille: of the occasions that it hits.

    Subclasses add `kind`, an enum with words as values.
    """

    count: Count | None = None
    chance_permille: Permille = 1000


K = TypeVar("K", bound=Enum)
F = TypeVar("F", bound=AnyFault)
S = TypeVar("S", bound=msgspec.Struct)


class FaultSet(Generic[K, F]):
    """The faults in force. Chance and noise come from `seed` alone, so that a run replays."""

    def __init__(self, seed: int = 0, faults: Iterable[F] = ()) -> None:
        self.random = Random(seed)  # noqa: S311  (replayable on purpose)
        self._active: dict[K, F] = {}
        for fault in faults:
            self.set(fault)

    def set(self, fault: F) -> None:
        """Put one in force; one of the same kind is replaced."""
        kind: K = getattr(fault, "kind")  # noqa: B009  (each kind of device has kinds of its own)
        self._active[kind] = fault

    def clear(self, kind: K | None = None) -> None:
        """End one kind, or all."""
        for active in [active for active in self._active if kind in (None, active)]:
            del self._active[active]

    def active(self) -> tuple[F, ...]:
        """What is in force, with the counts left."""
        return tuple(self._active.values())

    def has(self, kind: K) -> F | None:
        """A state that lasts until it is cleared: it is not counted."""
        return self._active.get(kind)

    def take(self, kind: K) -> F | None:
        """The fault, if it hits now; its count goes down by one. Ask only where it would be done."""
        fault = self._active.get(kind)
        if fault is None:
            return None
        if fault.chance_permille < 1000 and self.random.randrange(1000) >= fault.chance_permille:
            return None
        if fault.count == 1:
            del self._active[kind]
        elif fault.count is not None:
            self._active[kind] = msgspec.structs.replace(fault, count=fault.count - 1)
        return fault

    def turned(self, data: bytes, bits: int) -> bytes:
        """With so many random bits of it turned."""
        for _ in range(bits if data else 0):
            at = self.random.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1 :]
        return data


def parse_fault(word: str, kind: type[S], kinds: type[Enum], *, ports: bool = False, once: bool = False) -> S:
    """A fault from a command line: `kind[:count[:amount]]`, of `ports` `kind@port..`; `*` as count is until cleared.

    once: without a count, the kind's own default; else until cleared. Raises ValueError that names the kinds there are.
    """
    name, _, rest = word.partition(":")
    count, _, amount = rest.partition(":")
    name, _, port = name.partition("@") if ports else (name, "", "")
    plain: dict[str, Any] = {"kind": name}
    try:
        plain |= {"port": int(port)} if port else {}
        plain |= {"count": int(count)} if count not in ("", "*") else {}
        plain |= {"count": None} if count == "*" or not (count or once) else {}
        plain |= {"amount": int(amount)} if amount else {}
        return msgspec.convert(plain, kind)
    except (ValueError, msgspec.ValidationError) as error:
        listed, where = ", ".join(one.value for one in kinds), "[@PORT]" if ports else ""
        raise ValueError(
            f"fault {word!r}: expected KIND{where}[:COUNT[:AMOUNT]] with KIND one of {listed} ({error})"
        ) from None
