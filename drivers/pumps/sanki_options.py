"""How do Sanki heads differ, as far as a site must say it?"""

from __future__ import annotations

from typing import Annotated

import msgspec


class SankiOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` of a pump with `protocol = "sanki"`.

    host_mode: the pump is told that a host controls it, whenever it is back; newer heads are set by hand, and refuse or
    ignore that. delete_sale: `release` deletes the pump's sale record; the one driver in the field never does.
    timeout_ms: from the end of a question to the first byte of the answer. gap_ms: rest of the pump between two
    questions.
    """

    host_mode: bool = True
    delete_sale: bool = False
    timeout_ms: Annotated[int, msgspec.Meta(ge=50, le=5000)] = 500
    gap_ms: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 100
