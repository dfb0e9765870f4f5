"""Which rights has headquarters been asked for in the course of one start, and did any come?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from edge.till.ask import Source, Want

AskForGrant = Callable[[bytes, str, int, str], Awaitable[bool]]
"""(credential, account, want, asset) -> whether headquarters has granted something new, by now accepted."""


@dataclass(slots=True)
class Asking:
    """One start's questions: each payer is asked for once, so that they come to an end.

    ask_for_grant: None: there is nobody to ask. granted: something came. wanted: something was short at the last look.
    """

    ask_for_grant: AskForGrant | None
    asked: set[tuple[bytes | str, str]] = field(default_factory=set)
    granted: bool = False
    wanted: bool = False

    async def more(self, wants: Sequence[Want]) -> bool:
        """Ask for the first that nobody has been asked for yet. False: none is left, or there is nobody to ask."""
        want = next((want for want in wants if _payer(want.source) not in self.asked), None)
        self.wanted = want is not None
        if want is None or self.ask_for_grant is None:
            return False
        source = want.source
        self.asked.add(_payer(source))
        self.granted |= await self.ask_for_grant(source.credential, source.account, want.total, source.asset)
        return True

    @property
    def may_come_late(self) -> bool:
        """Whether a grant that nobody uses may still arrive."""
        return bool(self.asked) or self.wanted


def _payer(source: Source) -> tuple[bytes | str, str]:
    """Whom headquarters is asked for, before and after it has told whose a card is."""
    return source.credential or source.account, source.asset
