"""How are a lock's feedback contact and its door's sensor wired? Judged from what they say around one pulse.

Vendors wire both ways, and a contact that is one thing at rest may be stuck, not wired, or another lock's. So nothing
is learnt from one answer: a witness must say one thing steadily while the door is shut, the other one steadily once it
is open, and, where somebody shuts it again, the first one again. What contradicts itself stays undecided, with the
reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from drivers.boards.config import Feedback

LOOKS: Final = 5

Opened = Literal["yes", "no", "another", "unasked"]
"""What a person says of the door after the pulse. unasked: nobody was there to look."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a slot's wires say at one instant, as the boards see them. None: there is no such wire, or no answer."""

    contact: bool | None
    door: bool | None


@dataclass(frozen=True, slots=True)
class Wiring:
    """What was learnt. feedback, door: None: undecided. door: what to write before its input: "" or "not ". why: how it
    was decided, or why it was not.
    """

    feedback: Feedback | None
    door: Literal["", "not "] | None
    why: tuple[str, ...]


def judge(shut: Sequence[Look], after: Sequence[Look], again: Sequence[Look] | None, said: Opened) -> Wiring:
    """shut: before the pulse. after: from the pulse on, the last LOOKS of them once the door had its time. again: with
    the door shut once more; None: nobody has shut it.
    """
    if said == "no":
        return Wiring(None, None, ("the door did not open: whatever moved, it was not the door",))
    if said == "another":
        return Wiring(None, None, ("another door opened: the slot's `lock` names a wrong channel",))
    contact = _witness("the lock's contact", "contact", shut, after, again)
    door = _witness("the door's input", "door", shut, after, again)
    why = [words for words in (contact.trouble, door.trouble) if words is not None]
    if said == "unasked" and contact.is_there and door.is_there and contact.moved is not door.moved:
        one, other = (contact, door) if contact.moved else (door, contact)
        why.append(f"{one.name} moved and {other.name} did not: whether the door opened nobody knows")
        return Wiring(None, None, tuple(why))
    feedback: Feedback | None = None
    if contact.decided:
        feedback = "nc" if contact.at_rest else "no"
        why.append(f"{contact.name} was {_set(contact.at_rest)} while shut, {_set(not contact.at_rest)} while open")
    before: Literal["", "not "] | None = None
    if door.decided:
        before = "not " if door.at_rest else ""
        why.append(f"{door.name} was {_on(door.at_rest)} while shut, {_on(not door.at_rest)} while open")
    if said == "unasked" and (feedback is not None or before is not None):
        why.append("taken on your word that the door was shut before and springs open")
    return Wiring(feedback, before, tuple(why))


@dataclass(frozen=True, slots=True)
class _Witness:
    """One wire. at_rest, at_end, again: its steady words, again with the door shut once more; None: it had none.

    flickered: it was something else for a moment, and went back.
    """

    name: str
    at_rest: bool | None
    at_end: bool | None
    again: bool | None
    shut_again: bool
    is_there: bool
    flickered: bool

    @property
    def moved(self) -> bool:
        return self.at_rest is not None and self.at_end is not None and self.at_rest is not self.at_end

    @property
    def decided(self) -> bool:
        return self.moved and (not self.shut_again or self.again is self.at_rest)

    @property
    def trouble(self) -> str | None:
        """Why it is undecided, if it is. None for a wire that is not there."""
        if not self.is_there or self.decided:
            return None
        if self.at_rest is None:
            return f"{self.name} was not steady before the pulse"
        if self.at_end is None:
            return f"{self.name} was not steady after the pulse"
        if not self.moved and self.flickered:
            return (
                f"{self.name} moved for a moment only: it follows the bolt, and does not tell whether the door is shut"
            )
        if not self.moved:
            return f"{self.name} did not move: it is not wired, stuck, another lock's, or the door did not open"
        return f"{self.name} did not go back when the door was shut again"


def _witness(
    name: str,
    wire: Literal["contact", "door"],
    shut: Sequence[Look],
    after: Sequence[Look],
    again: Sequence[Look] | None,
) -> _Witness:
    def said(seen: Sequence[Look]) -> list[bool | None]:
        return [one.contact if wire == "contact" else one.door for one in seen]

    at_rest = _steady(said(shut))
    return _Witness(
        name=name,
        at_rest=at_rest,
        at_end=_steady(said(after)[-LOOKS:]),
        again=_steady(said(again or ())),
        shut_again=again is not None,
        is_there=any(value is not None for value in said([*shut, *after])),
        flickered=any(value is (not at_rest) for value in said(after)),
    )


def _steady(values: Sequence[bool | None]) -> bool | None:
    """What all of at least LOOKS say. None: not one thing, or not so often."""
    return values[0] if len(values) >= LOOKS and len(set(values)) == 1 else None


def _set(value: bool | None) -> str:
    return "set" if value else "not set"


def _on(value: bool | None) -> str:
    return "on" if value else "off"
