"""What has the operator decided that headquarters does by itself? `[policy]` of hq.toml."""

from __future__ import annotations

from typing import Annotated

import msgspec

Hours = Annotated[int, msgspec.Meta(ge=0, le=8_760)]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """guest_refund_after_h: a guest at a site that has been silent for so long since the payment is paid back by the
    operator; 0: never, the guest waits for the site.
    """

    guest_refund_after_h: Hours = 48
