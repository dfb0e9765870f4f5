"""Which documents did the session pin, and is what is handed out beside the records really theirs?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TypeAlias, TypeVar

from protocols.proof.lines import Fact, Line, failed, open_, proven
from protocols.proof.receipt_story import Story
from protocols.trade.codec import NotCanonical, Wire, decode
from protocols.trade.records import Pin

Documents: TypeAlias = Sequence[tuple[str, bytes]]
"""(kind, payload), as handed out beside the records."""

T = TypeVar("T", bound=Wire)


def pin_of(story: Story, kind: str) -> Pin | None:
    """The document of that kind that was in force when the session began."""
    return next((pin for pin in story.opened.pins if pin.kind == kind), None)


def payload_of(documents: Documents, kind: str) -> bytes | None:
    """The first of that kind among those handed out."""
    return next((payload for its, payload in documents if its == kind), None)


def read_pinned(
    story: Story, documents: Documents, kind: str, into: type[T], disorder: Callable[[T], Sequence[object]], code: str
) -> tuple[T | None, Line]:
    """The document of that kind, and the line that says whether it is the pinned one. disorder: what the types do not
    hold against it. None: it is not here, or not that one.
    """
    pin, payload = pin_of(story, kind), payload_of(documents, kind)
    if pin is None:
        return None, failed(code)
    if payload is None:
        return None, open_(code, version=pin.version)
    found = _read(payload, into) if sha256(payload).digest() == pin.hash else None
    if found is None or disorder(found):
        return None, failed(code, version=pin.version)
    name: dict[str, Fact] = {"id": found.id} if hasattr(found, "id") else {}
    return found, proven(code, **name, version=pin.version)


def _read(payload: bytes, into: type[T]) -> T | None:
    try:
        return decode(payload, into)
    except NotCanonical:
        return None
