"""Which keys does a reader bring to a receipt? What is printed on the box, listed at headquarters, or sent by either.

a box     its fingerprint, as printed on it    2a22-a91f-d74a-c9b9-f4b2-c1fb-92f1-1096
          its device key, as meter tools take it    SubjectPublicKeyInfo in hex or base64
          its log's key, for one epoch alone    fieldtill/shanghai-7/3+44a8d28b+AYqI49...
HQ        its cosigner's vkey    hq.example/cosigner+76dd71d1+BIE5dw...
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from protocols.proof import keys
from protocols.proof.errors import Malformed
from protocols.proof.note import SignatureType, VerifierKey, decode_base64

_FINGERPRINT = re.compile(r"[0-9a-f]{4}(-[0-9a-f]{4}){7}")
_BARE_FINGERPRINT = re.compile(r"[0-9a-f]{32}")
_HEX = re.compile(r"([0-9a-f]{2})+")


@dataclass(frozen=True, slots=True)
class SiteKey:
    """A key that a reader trusts for a site. Exactly one of the two is there."""

    fingerprint: str | None = None  # of the device key
    log: VerifierKey | None = None

    def vouches_for(self, device_spki: bytes, log_key: VerifierKey) -> bool:
        """Is it the key of this box, or of this log?"""
        return self.log == log_key if self.log is not None else self.fingerprint == keys.fingerprint(device_spki)


def site_keys(text: str) -> tuple[SiteKey, ...]:
    """One key a line; empty lines and `#` comments are passed over. Raises Malformed."""
    return tuple(_site_key(line) for line in _lines(text))


def hq_keys(text: str) -> tuple[VerifierKey, ...]:
    """The cosigning keys among the vkey lines that `fieldtill-hq keys` prints. Raises Malformed, also for none."""
    found = tuple(key for key in map(VerifierKey.parse, _lines(text)) if key.type is SignatureType.COSIGNATURE_V1)
    if not found:
        raise Malformed("headquarters' key", expected="a vkey of type 04 (cosignature)", got=repr(text[:60]))
    return found


def _site_key(text: str) -> SiteKey:
    lower = text.lower()
    if _FINGERPRINT.fullmatch(lower):
        return SiteKey(fingerprint=lower)
    if _BARE_FINGERPRINT.fullmatch(lower):
        return SiteKey(fingerprint="-".join(lower[at : at + 4] for at in range(0, 32, 4)))
    if text.startswith("fieldtill/"):
        key = VerifierKey.parse(text)
        if key.type is not SignatureType.ED25519:
            raise Malformed("site key", expected="a vkey of type 01", got=f"type {key.type:02x}")
        return SiteKey(log=key)
    try:
        spki = bytes.fromhex(lower) if _HEX.fullmatch(lower) else decode_base64(text.encode(), what="site key")
        return SiteKey(fingerprint=keys.fingerprint(keys.spki(keys.device_public_from_spki(spki))))
    except (Malformed, UnicodeEncodeError):
        form = "a fingerprint, a device key (SubjectPublicKeyInfo in hex or base64) or a log's vkey"
        raise Malformed("site key", expected=form, got=repr(text[:60])) from None


def _lines(text: str) -> list[str]:
    return [line for line in (line.partition("#")[0].strip() for line in text.splitlines()) if line]
