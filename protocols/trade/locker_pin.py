"""How is a locker's PIN kept? Never as digits: a salted digest that is slow to guess, and under a key of the fleet.

A PIN has too few digits to be safe by itself. Whoever reads the log has neither the PIN nor the key; who has both the
log and the key still pays for every guess.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from protocols.trade.grants import CredentialKey

SALT_BYTES = 16
DIGEST_BYTES = 32
_DOMAIN = b"fieldtill/locker-pin/v1"
_PIN = re.compile(r"^[0-9]{4,10}\Z")


def is_pin(text: str) -> bool:
    """4 to 10 digits, not all the same."""
    return _PIN.match(text) is not None and len(set(text)) > 1


def secret_of(key: CredentialKey, salt: bytes, pin: str) -> bytes:
    """Salt and digest, as an opening record keeps them. Takes some 20 ms. Raises ValueError for another salt."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"expected a salt of {SALT_BYTES} bytes, got {len(salt)}")
    keyed = hmac.new(key.key, _DOMAIN + salt + pin.encode(), hashlib.sha256).digest()
    return salt + hashlib.scrypt(keyed, salt=salt, n=2**13, r=8, p=1, dklen=DIGEST_BYTES)


def opens(key: CredentialKey, secret: bytes, pin: str) -> bool:
    """Whether it is the PIN. False for a locker without one."""
    if len(secret) != SALT_BYTES + DIGEST_BYTES or not is_pin(pin):
        return False
    return hmac.compare_digest(secret_of(key, secret[:SALT_BYTES], pin), secret)
