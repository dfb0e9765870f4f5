"""Which of headquarters' keys may a site believe from now on? A document, signed by a key that it believes already.

Versions form a chain: each is signed by the grant key that was in use before it. A site follows them in order from the
keys that it has pinned; none of them can be skipped, and none can be undone by showing an older one.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from protocols.trade.codec import Wire
from protocols.trade.records import Amount, Hash

KIND = "keys"

Keys = Annotated[list[Hash], msgspec.Meta(min_length=1, max_length=16)]


class KeySet(Wire, frozen=True):
    """Ed25519 keys, newest first: the one in use, then those whose signatures may still be under way.

    grant: sign grants, documents, commands and codes. cosign: acknowledge heads.
    """

    version: Amount
    grant: Keys
    cosign: Keys
