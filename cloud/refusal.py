"""Why is a request refused, and what should whoever sent it do next?"""

from __future__ import annotations

from protocols.trade.wire import Refusal, RefusalCode

STATUS = {
    RefusalCode.TOO_MANY: 429,
    RefusalCode.TOO_LARGE: 413,
    RefusalCode.UNREADABLE: 400,
    RefusalCode.UNKNOWN_SITE: 403,
    RefusalCode.WRONG_FINGERPRINT: 403,
    RefusalCode.UNKNOWN_EPOCH: 403,
    RefusalCode.BAD_SIGNATURE: 403,
    RefusalCode.EPOCH_FROZEN: 423,
    RefusalCode.WRONG_CHECKPOINT: 422,
    RefusalCode.GAP: 409,
    RefusalCode.FORK: 409,
    RefusalCode.NOT_CANONICAL: 422,
    RefusalCode.NOT_FOUND: 404,
}

REMEDY = {
    RefusalCode.TOO_MANY: "Wait a while, then send it again.",
    RefusalCode.TOO_LARGE: "Send smaller batches.",
    RefusalCode.UNREADABLE: "Send the struct that the path takes, canonical, deflated where the header says so.",
    RefusalCode.UNKNOWN_SITE: "Add the site at headquarters: fieldtill-hq site add SITE --device FINGERPRINT.",
    RefusalCode.WRONG_FINGERPRINT: "Compare with the box's `fieldtill keys`; admit it by fieldtill-hq site admit.",
    RefusalCode.UNKNOWN_EPOCH: "Enrol the box: it has no epoch here under this number.",
    RefusalCode.BAD_SIGNATURE: "Sign with the log key that this epoch was enrolled with.",
    RefusalCode.EPOCH_FROZEN: "A person at headquarters decides; enrol the box anew to go on selling on new grants.",
    RefusalCode.WRONG_CHECKPOINT: "Send the checkpoint that this epoch's log key signed after the last record sent.",
    RefusalCode.GAP: "Send from the record numbered `size`.",
    RefusalCode.FORK: "The log is not the one it was: keep the disk as it is and call headquarters.",
    RefusalCode.NOT_CANONICAL: "The box's software or disk is at fault; headquarters has kept the bytes.",
    RefusalCode.NOT_FOUND: "Ask for what the last batch's reply named.",
}


class Refuse(Exception):
    """A request is refused and has changed nothing. Carries what goes back on the wire."""

    def __init__(self, code: RefusalCode, what: str, *, expected: str = "", got: str = "", size: int = 0) -> None:
        super().__init__(f"{code}: {what}: expected {expected}, got {got}")
        self.refusal = refusal(code, what, expected=expected, got=got, size=size)


def refusal(code: RefusalCode, what: str, *, expected: str = "", got: str = "", size: int = 0) -> Refusal:
    """As it goes back on the wire, with the remedy for its code."""
    return Refusal(code, what, expected, got, REMEDY[code], size)
