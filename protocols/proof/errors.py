"""Why is a proof, a signature or a signed text refused?

All are refusals of what somebody else handed in, so the caller never goes on with the bytes. The class says what to
do next.
"""

from __future__ import annotations


class Unproven(ValueError):
    """What was claimed is not proven. `what`, `expected`, `got` and `remedy` are for a person."""

    remedy = "Do not rely on these bytes."

    def __init__(self, what: str, *, expected: str, got: str) -> None:
        super().__init__(f"{what}: expected {expected}, got {got}")
        self.what = what
        self.expected = expected
        self.got = got


class Malformed(Unproven):
    """The bytes do not have the form of what they claim to be, or exceed its limits."""

    remedy = "Ask the sender for the bytes again; if they come back the same, its software or its disk is at fault."


class BadSignature(Unproven):
    """No signature by a known key, or one that does not hold."""

    remedy = "Compare the key's fingerprint with the one printed on the box or listed at headquarters."


class NotIncluded(Unproven):
    """The inclusion proof does not lead from the leaf to the root."""

    remedy = "Check that record and proof belong together; if they do, keep both and the signed head as evidence."


class NotConsistent(Unproven):
    """The later tree does not begin with the earlier one: a fork, a rollback, or a wrong proof."""

    remedy = "Freeze the epoch and keep both signed heads: together they prove that the log was rewritten."
