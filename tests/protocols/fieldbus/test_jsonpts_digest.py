"""HTTP Digest in both roles."""

from __future__ import annotations

import pytest

from protocols.fieldbus.jsonpts_digest import Challenge, Login, basic, digest, proves, read_challenge

MUFASA = Login("Mufasa", "Circle of Life")


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616(algorithm: str, response: str) -> None:
    """Section 3.9.1, both algorithms."""
    challenge = Challenge(
        "http-auth@example.org",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        algorithm,
        "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    )
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    header = digest(MUFASA, challenge, "GET", "/dir/index.html", 1, cnonce)
    assert f'response="{response}"' in header
    assert proves(header, MUFASA, challenge, "GET", "/dir/index.html") == 1


def test_a_wrong_password_proves_nothing() -> None:
    """Nor does another nonce, name, method or path."""
    challenge = Challenge("Pts2WebServer", "251229095521388")
    header = digest(MUFASA, challenge, "POST", "/jsonPTS", 7, "c")
    assert proves(header, MUFASA, challenge, "POST", "/jsonPTS") == 7
    assert proves(header, Login("Mufasa", "other"), challenge, "POST", "/jsonPTS") is None
    assert proves(header, Login("Scar", "Circle of Life"), challenge, "POST", "/jsonPTS") is None
    assert proves(header, MUFASA, Challenge("Pts2WebServer", "2"), "POST", "/jsonPTS") is None
    assert proves(header, MUFASA, challenge, "GET", "/jsonPTS") is None
    assert proves("Basic abc", MUFASA, challenge, "POST", "/jsonPTS") is None


def test_challenges_are_read_as_they_come() -> None:
    """Order, case, quotes and further fields are the server's; what it writes itself is read back."""
    challenge = Challenge("Pts2WebServer", "n", opaque="o", stale=True)
    assert read_challenge([challenge.header()]) == challenge
    assert read_challenge(['digest QOP="auth,auth-int", nonce="n", realm="R"']) == Challenge("R", "n")
    both = ['Digest realm="R", nonce="1", qop="auth"', 'Digest realm="R", nonce="2", qop="auth", algorithm=SHA-256']
    assert read_challenge(both) == Challenge("R", "2", "SHA-256")


@pytest.mark.parametrize(
    "header", ["", "Basic realm=x", 'Digest realm="R"', 'Digest realm="R", nonce="n"', 'Digest realm="R", qop="auth"']
)
def test_challenges_that_cannot_be_answered(header: str) -> None:
    """No realm, no nonce, no qop `auth`: None."""
    assert read_challenge([header]) is None


def test_basic_and_a_password_that_is_not_shown() -> None:
    """The header is the one of RFC 7617; `repr` keeps the secret."""
    assert basic(Login("Aladdin", "open sesame")) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert "sesame" not in repr(Login("Aladdin", "open sesame"))
