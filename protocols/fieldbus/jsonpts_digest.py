"""How does a host prove to a PTS-2 that it knows the password? HTTP Digest (RFC 7616, qop `auth`), or Basic.

Digest hides the password from whoever listens, and no more: it says nothing of the answers. Use it inside TLS.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

ALGORITHMS: Final = ("SHA-256", "MD5")  # best first; controllers know MD5
_PAIR: Final = re.compile(r'([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
_HEADER_MAX: Final = 2_048


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a 401 asks for. stale: the password was right, only the nonce is too old."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    opaque: str | None = None
    stale: bool = False

    def header(self) -> str:
        """As the asking side writes it: `WWW-Authenticate`."""
        opaque = "" if self.opaque is None else f', opaque="{self.opaque}"'
        stale = ", stale=true" if self.stale else ""
        return (
            f'Digest realm="{self.realm}", nonce="{self.nonce}", algorithm={self.algorithm}, qop="auth"{opaque}{stale}'
        )


@dataclass(frozen=True, slots=True)
class Login:
    """Name and password. Neither `repr` nor an error shows the password."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.name!r})"


def read_challenge(headers: list[str]) -> Challenge | None:
    """The best Digest challenge among all `WWW-Authenticate` headers; None: none that can be answered."""
    found = [challenge for header in headers if (challenge := _challenge(header)) is not None]
    return min(found, key=lambda challenge: ALGORITHMS.index(challenge.algorithm), default=None)


def digest(login: Login, challenge: Challenge, method: str, uri: str, count: int, cnonce: str) -> str:
    """The `Authorization` header. count: of requests with this nonce, from 1. cnonce: fresh and by chance."""
    nc = f"{count:08x}"
    response = _response(login, challenge, method, uri, nc, cnonce)
    opaque = "" if challenge.opaque is None else f', opaque="{challenge.opaque}"'
    return (
        f'Digest username="{login.name}", realm="{challenge.realm}", nonce="{challenge.nonce}", uri="{uri}", '
        f'response="{response}", algorithm={challenge.algorithm}, qop=auth, nc={nc}, cnonce="{cnonce}"{opaque}'
    )


def basic(login: Login) -> str:
    """The `Authorization` header."""
    return "Basic " + b64encode(f"{login.name}:{login.password}".encode()).decode()


def proves(header: str, login: Login, challenge: Challenge, method: str, uri: str) -> int | None:
    """The count of a valid `Authorization` for this very challenge; None: it proves nothing. The controller's side."""
    said = _pairs(header, "digest")
    if said is None or (said.get("username"), said.get("nonce"), said.get("uri")) != (login.name, challenge.nonce, uri):
        return None
    nc, cnonce = said.get("nc", ""), said.get("cnonce", "")
    wanted = _response(login, challenge, method, uri, nc, cnonce)
    if not hmac.compare_digest(wanted, said.get("response", "")) or re.fullmatch(r"[0-9a-f]{8}", nc) is None:
        return None
    return int(nc, 16)


def _response(login: Login, challenge: Challenge, method: str, uri: str, nc: str, cnonce: str) -> str:
    ha1 = _hash(challenge.algorithm, f"{login.name}:{challenge.realm}:{login.password}")
    ha2 = _hash(challenge.algorithm, f"{method}:{uri}")
    return _hash(challenge.algorithm, f"{ha1}:{challenge.nonce}:{nc}:{cnonce}:auth:{ha2}")


def _hash(algorithm: str, text: str) -> str:
    if algorithm == "SHA-256":
        return hashlib.sha256(text.encode()).hexdigest()
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _challenge(header: str) -> Challenge | None:
    said = _pairs(header, "digest")
    if said is None or "realm" not in said or "nonce" not in said:
        return None
    if "auth" not in [word.strip() for word in said.get("qop", "").split(",")]:
        return None
    algorithm = said.get("algorithm", "MD5").upper()
    if algorithm not in ALGORITHMS or any('"' in said.get(key, "") for key in ("realm", "nonce", "opaque")):
        return None
    stale = said.get("stale", "").lower() == "true"
    return Challenge(said["realm"], said["nonce"], algorithm, said.get("opaque"), stale)


def _pairs(header: str, scheme: str) -> dict[str, str] | None:
    word, _, rest = header[:_HEADER_MAX].partition(" ")
    if word.lower() != scheme:
        return None
    return {key.lower(): quoted or plain for key, quoted, plain in _PAIR.findall(rest)}
