"""What may a hall ask of the site that it is part of?

A hall is what sells one kind of thing: pumps, cabinets, ports.
"""

from __future__ import annotations

from typing import Protocol

from edge.asking import AskForGrant, Asking
from edge.till.ask import Source
from protocols.trade.grants import CredentialKey
from protocols.trade.wire import Command


class Host(Protocol):
    """The site, as its halls see it. `edge.site.Site` is the one there is."""

    credential_key: CredentialKey
    ask_for_grant: AskForGrant | None
    starting: set[str]
    """Places of every hall where a start is under way: what was granted for it must not go back meanwhile."""

    def is_online(self) -> bool:
        """Whether headquarters has been heard of late."""

    def changed(self) -> None:
        """The log, or what is seen, may be another now: whoever tells of it is woken."""

    async def note(self, by: str, verb: str, detail: str) -> None:
        """A technician's act goes into the log. Raises JournalFull."""

    async def in_vain(self, place: str, sources: tuple[Source, ...], asking: Asking) -> None:
        """A start came to nothing: what was granted for it goes back, now or as soon as it has come."""


class Hall(Protocol):
    """A part of the site, as the site sees it."""

    def __contains__(self, name: object) -> bool:
        """Whether a place of this id or number is one of its own."""

    async def command(self, command: Command) -> str:
        """A command whose signature and number have been checked. What became of it, in a word."""
