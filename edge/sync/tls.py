"""Is it headquarters, at a time that nobody is sure of? TLS whose dates are checked against what is proven.

A box without a battery wakes in 1970, one with a broken clock in 2040, and both must reach headquarters to learn the
time. So the wall clock has no say: OpenSSL checks the chain and the name, and here each certificate of that chain must
be valid at some instant within the bounds that the clock can prove. Nobody who sets a box's clock can cut it off, or
make it take a certificate that has lapsed before the newest time it has been told.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from edge.clock import BUILD_MS

Known = Callable[[], tuple[int, int | None]]
"""What is proven of the time now: Unix ms not before which and not after which it is; None: no upper bound."""

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h, for which `ssl` has no name."""

_ERA = datetime(1970, 1, 1, tzinfo=UTC)


class OutOfDate(ssl.SSLError):
    """A certificate of headquarters' chain is valid at no instant that it can be now."""


def nothing_known() -> tuple[int, int | None]:
    """It is later than this software."""
    return BUILD_MS, None


def context(authorities: str | None, known: Known) -> ssl.SSLContext:
    """For connecting to headquarters. authorities: a file or folder; None: those that this system trusts.

    A handshake raises ssl.SSLCertVerificationError for a chain or a name, OutOfDate for dates.
    """

    class Socket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            check_dates(_verified_chain(self), *known())

    folder = authorities is not None and os.path.isdir(authorities)
    made = ssl.create_default_context(cafile=None if folder else authorities, capath=authorities if folder else None)
    made.verify_flags |= NO_CHECK_TIME
    made.sslsocket_class = Socket
    return made


def check_dates(chain: Sequence[bytes], lower_ms: int, upper_ms: int | None) -> None:
    """Return when each certificate (DER) may be valid now, which is within the bounds. Raises OutOfDate."""
    from cryptography import x509  # 10 ms that a box without headquarters never pays

    if not chain:
        raise OutOfDate("headquarters showed no certificate")
    earliest, latest = max(lower_ms, BUILD_MS), upper_ms
    for der in chain:
        one = x509.load_der_x509_certificate(der)
        name = one.subject.rfc4514_string() or "without a name"
        if _ms(one.not_valid_after_utc) < earliest:
            until, now = one.not_valid_after_utc, _ERA + timedelta(milliseconds=earliest)
            raise OutOfDate(f"the certificate {name} lapsed at {until:%F %R} UTC; it is {now:%F %R} UTC or later")
        if latest is not None and _ms(one.not_valid_before_utc) > latest:
            since, now = one.not_valid_before_utc, _ERA + timedelta(milliseconds=latest)
            raise OutOfDate(f"the certificate {name} begins at {since:%F %R} UTC; it is {now:%F %R} UTC or earlier")


def _verified_chain(sock: ssl.SSLSocket) -> list[bytes]:
    """The certificates that OpenSSL's verdict stands on, the server's own first, as DER."""
    if sys.version_info >= (3, 13):
        return list(sock.get_verified_chain())
    import _ssl

    found = sock._sslobj.get_verified_chain()  # type: ignore[attr-defined]  # public under this name since 3.13
    return [one.public_bytes(_ssl.ENCODING_DER) for one in found or ()]


def _ms(instant: datetime) -> int:
    return (instant - _ERA) // timedelta(milliseconds=1)
