"""Grants on a phone: small enough to scan, the same every time, and whatever is wrong is said."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from protocols.proof import ed25519, keys
from protocols.trade import base45, carried, grants
from protocols.trade.carried import BadCode, CarriedStart, Fault
from protocols.trade.codec import encode
from protocols.trade.grants import Grant
from protocols.trade.records import Preset

HQ = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = ed25519.public_of(HQ)
GRANT = Grant("3KX9P0QZ7A", "CNY", "S1", 2, 9, 20_000, 1_795_000_000, 1_797_592_000, 10_000, 5_000, 1, [bytes(8)])
START = CarriedStart("bay-1", 4, Preset("money", 5_000), 1_795_003_600)


def signed(grant: Grant, key: Ed25519PrivateKey = HQ) -> bytes:
    payload = encode(grant)
    return grants.join(grant, keys.sign(key, grants.DOMAIN, payload))


def signed_start(grant: Grant, start: CarriedStart, key: Ed25519PrivateKey = HQ) -> bytes:
    return carried.join_start(start, keys.sign(key, carried.START_DOMAIN, carried.start_payload(grant, start)))


TEXT = carried.write(signed(GRANT))
WITH_START = carried.write(signed(GRANT), signed_start(GRANT, START))


def test_a_code_says_what_was_written() -> None:
    """Grant alone, or grant and start; a scanner's line end does no harm."""
    alone, both = carried.read(TEXT), carried.read(f" {WITH_START}\r\n")
    carried.verify(alone, PUBLIC)
    carried.verify(both, PUBLIC)
    assert (alone.grant, alone.start) == (GRANT, None)
    assert (both.grant, both.start) == (GRANT, START)
    assert alone.grant_bytes == both.grant_bytes == signed(GRANT)


def test_the_text_never_changes() -> None:
    """Codes lie on phones; the same grant is the same text for ever."""
    assert TEXT == (
        "FT1:Q20B J L6+6B86A CAF:6ZSKW+9KNK 86YA1K*9C4QC2W%GOOODGM24.PQ525L2-809ZO0000000000008KQ/26FXV4*2WBMPC8-9O/J55"
        "0FNS10E3YCL-:P*FLBNBJ7IE:H$$ILFC7R31F484VWU1A4BOST02CRMCZ1J7-5.J1BFBGML"
    )
    assert len(WITH_START) == 312
    assert WITH_START.startswith(TEXT[: len(TEXT) // 3 * 3 - 3])


names = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=16)
accounts = st.text(alphabet="0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=10, max_size=10)
fen = st.integers(0, 500_000)


@given(
    site=names,
    account=accounts,
    granted=fen,
    limit=fen,
    stays=fen,
    epoch=st.integers(1, 99),
    serial=st.integers(0, 9_999),
)
def test_a_grant_with_one_credential_is_at_most_220_characters(
    site: str, account: str, granted: int, limit: int, stays: int, epoch: int, serial: int
) -> None:
    """So the QR code stays coarse enough for a scratched screen, whatever the amounts."""
    issued_s = 2**32 - 1 - 2_592_000
    grant = Grant(account, "CNY", site, epoch, serial, granted, issued_s, 2**32 - 1, limit, stays, 1, [bytes(8)])
    text = carried.write(signed(grant))
    assert len(text) <= 220
    assert carried.read(text).grant == grant


@given(st.integers(0, len(WITH_START) - 1))
def test_a_code_cut_short_is_never_taken_for_another(kept: int) -> None:
    """A piece is refused, or is the grant alone without its start."""
    if kept == len(TEXT):
        piece = carried.read(WITH_START[:kept])
        assert (piece.grant, piece.start) == (GRANT, None)
        return
    with pytest.raises(BadCode) as caught:
        carried.read(WITH_START[:kept])
    assert caught.value.fault in (Fault.NOT_OURS, Fault.CUT_OFF, Fault.UNREADABLE)


@given(st.integers(4, len(WITH_START) - 1), st.sampled_from(base45.ALPHABET))
def test_a_changed_character_is_found(at: int, character: str) -> None:
    """Reading refuses it, or the signatures do."""
    text = WITH_START[:at] + character + WITH_START[at + 1 :]
    if text == WITH_START:
        return
    with pytest.raises(BadCode):
        carried.verify(carried.read(text), PUBLIC)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.NOT_OURS),
        ("https://qr.example/pay?x=1", Fault.NOT_OURS),
        ("ft1:abc", Fault.NOT_OURS),
        (carried.PREFIX + "0" * 6_000, Fault.NOT_OURS),
        ("FT1:", Fault.CUT_OFF),
        (TEXT[:-1], Fault.CUT_OFF),
        (TEXT[:100], Fault.CUT_OFF),
        (WITH_START[: len(TEXT) + 20], Fault.CUT_OFF),
        (TEXT.lower().replace("ft1:", "FT1:"), Fault.UNREADABLE),
        (carried.PREFIX + base45.encode(b"\x00\x80" + bytes(128)), Fault.UNREADABLE),
        (carried.PREFIX + base45.encode(b"\x00\x00"), Fault.UNREADABLE),
    ],
)
def test_what_is_wrong_is_said(text: str, fault: Fault) -> None:
    """The fault is for the program; what to do is for whoever stands there."""
    with pytest.raises(BadCode) as caught:
        carried.read(text)
    assert caught.value.fault == fault
    assert caught.value.remedy


def test_another_headquarters_signs_nothing_here() -> None:
    """The grant, and the start, each by the pinned key."""
    other = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    for text in (
        carried.write(signed(GRANT, other)),
        carried.write(signed(GRANT), signed_start(GRANT, START, other)),
    ):
        with pytest.raises(BadCode) as caught:
            carried.verify(carried.read(text), PUBLIC)
        assert caught.value.fault == Fault.FORGED


@pytest.mark.parametrize("changed", [{"account": "OTHER"}, {"site": "S2"}, {"epoch": 3}])
def test_a_start_fits_no_other_grant(changed: dict[str, str]) -> None:
    """It is signed for one account, site and epoch; a newer grant of the same lease still goes with it."""
    elsewhere = msgspec.structs.replace(GRANT, **changed)
    with pytest.raises(BadCode):
        carried.verify(carried.read(carried.write(signed(elsewhere), signed_start(GRANT, START))), PUBLIC)
    newer = msgspec.structs.replace(GRANT, serial=10, granted=30_000)
    carried.verify(carried.read(carried.write(signed(newer), signed_start(GRANT, START))), PUBLIC)


def test_a_code_of_another_place_or_time_is_refused() -> None:
    """Site, epoch, and the time of a start; an unknown clock does not refuse what may still be good."""
    code = carried.read(WITH_START)
    carried.require_for(code, "S1", 2)
    for place, fault in ((("S2", 2), Fault.WRONG_SITE), (("S1", 3), Fault.WRONG_EPOCH)):
        with pytest.raises(BadCode) as caught:
            carried.require_for(code, *place)
        assert caught.value.fault == fault
    carried.require_live(START, 0)
    carried.require_live(START, START.expires_s)
    with pytest.raises(BadCode, match="1 s ago"):
        carried.require_live(START, START.expires_s + 1)


def test_a_grant_that_no_qr_code_holds_is_not_written() -> None:
    """A fleet's account with hundreds of cards."""
    many = msgspec.structs.replace(
        GRANT, credentials=[bytes([0, 0, 0, 0, 0, 0, n // 256, n % 256]) for n in range(300)]
    )
    with pytest.raises(carried.TooLong):
        carried.write(signed(many))
