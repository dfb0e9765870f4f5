"""What has the operator decided that headquarters does by itself? `[policy]` of hq.toml."""

from __future__ import annotations

from typing import Annotated

import msgspec

Days = Annotated[int, msgspec.Meta(ge=0, le=3_650)]
Hours = Annotated[int, msgspec.Meta(ge=0, le=8_760)]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """guest_refund_after_h: a guest at a site that has been silent for so long since the payment is paid back by the
    operator; 0: never, the guest waits for the site. loan_after_days: customers are lent what lies at an epoch so long
    after a person has said that it is lost; 0: never, a person does it.
    """

    guest_refund_after_h: Hours = 48
    loan_after_days: Days = 0
