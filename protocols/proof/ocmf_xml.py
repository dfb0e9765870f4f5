"""How do meter records get into the transparency software? The S.A.F.E. initiative's `<values>` file, with their keys.

    <values>
      <value transactionId="14" context="Transaction.End">
        <signedData format="OCMF" encoding="plain">OCMF|...|...</signedData>
        <publicKey encoding="hex">3059...</publicKey>
      </value>
    </values>

Source: src/test/resources/xml of SAFE-eV/transparenzsoftware. A record with both readings stands alone under the
context of its end. Two values with one transactionId would be taken for the begin and the end of one session.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.asymmetric import ec

from protocols.proof.keys import spki


@dataclass(frozen=True, slots=True)
class Value:
    """One session's record. number: no other value of the file has it; a session's own is its opening `seq`."""

    number: int
    record: str
    public: ec.EllipticCurvePublicKey


def values(entries: Iterable[Value]) -> str:
    """The file's text, ASCII. Raises ValueError for two values of one number."""
    numbers: set[int] = set()
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<values>"]
    for entry in entries:
        if entry.number in numbers:
            raise ValueError(f"expected each transactionId once, got {entry.number} twice")
        numbers.add(entry.number)
        lines += [
            f'  <value transactionId="{entry.number}" context="Transaction.End">',
            f'    <signedData format="OCMF" encoding="plain">{escape(entry.record)}</signedData>',
            f'    <publicKey encoding="hex">{spki(entry.public).hex().upper()}</publicKey>',
            "  </value>",
        ]
    return "\n".join([*lines, "</values>", ""])
