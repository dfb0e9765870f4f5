"""Bodies of the records of headquarters' own log about packs. Their (kind, version) stand in `records.BODIES`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from protocols.trade.codec import Wire
from protocols.trade.record_parts import Amount, Name

PackWord = Literal["hot", "clear", "lost", "found", "inspected", "numbered", "extended"]


class PackMarked(Wire, frozen=True):
    """Headquarters' word on one pack.

    what: `hot`: lock it in wherever it turns up, `clear`: no more; `lost`: nobody has it, what was deposited for it is
    kept, and it is hot; `found`: staff has it, at `site`, and it is neither lost nor hot; `inspected`: value is the
    Unix time until which it may be given out; `numbered`: value is its network number, 0 takes it away; `extended`: its
    rent is paid to value, a Unix time. site: empty unless it was found. why: a person's words, without names.
    """

    code: Name
    what: PackWord
    value: Amount
    site: Annotated[str, msgspec.Meta(max_length=64)]
    why: Annotated[str, msgspec.Meta(max_length=200)]
