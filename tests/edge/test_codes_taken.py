"""Codes on customers' phones: rights that travel past a dead link, and starts that run once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from edge.carried import Codes, Taken
from edge.journal.errors import JournalFull
from edge.journal.step import Head, Step
from edge.site import JOIN_S
from edge.till.progress import StopReason
from edge.till.start import Refusal
from edge.till.state import lease_key
from protocols.trade import carried
from protocols.trade.carried import BadCode, Fault
from protocols.trade.records import CNY, Hold, Preset, SessionClosed, SessionExtended, SessionOpened
from tests.edge.codes import COSIGN_KEY, PINNED, code, order
from tests.edge.desk_rig import CARD, Till, a_till, reopen, slow_disk, turns, until
from tests.edge.till.story import MIDNIGHT_MS

GUEST = "guest-7"
NOW_S = MIDNIGHT_MS // 1000


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    """A till without a link."""
    async with a_till(tmp_path) as one:
        learn_the_time(one)
        yield one


def learn_the_time(till: Till) -> None:
    """As from headquarters, some time ago: from then on it is certainly not before that."""
    till.clock.learn(till.time.wall_ms, till.time.wall_ms + 1)


async def take(till: Till, text: str) -> Taken:
    taken = await Codes(till.site, PINNED).take(text)
    assert isinstance(taken, Taken), taken
    return taken


async def refuse(till: Till, text: str) -> Fault:
    taken = await Codes(till.site, PINNED).take(text)
    assert isinstance(taken, BadCode)
    assert taken.remedy
    return taken.fault


# --- the grant --------------------------------------------------------------------------------------------------------


async def test_a_code_brings_rights(till: Till) -> None:
    """40.00 paid by phone are in the log, and may be spent here."""
    taken = await take(till, code(4_000))
    assert (taken.account, taken.news, taken.rights, taken.session) == (GUEST, True, 4_000, None)
    assert till.kinds[-1] == "grant-accepted"


async def test_what_the_link_brought_and_the_disk_did_not_keep_is_no_news_of_ours(till: Till) -> None:
    """The grant comes by the link in the same moment, and neither commit finds room: no right is claimed to be here."""
    text = code(4_000, start=order(1))
    committer = till.journal._committer
    real = committer.commit
    with slow_disk(till.journal) as disk_goes_on:
        slow = committer.commit

        def no_room(group: Sequence[Step]) -> Head:
            committer.commit = real
            slow([])
            raise JournalFull("no room")

        committer.commit = no_room
        by_link = asyncio.create_task(till.site.take_grants([carried.read(text).grant_bytes]))
        await turns()
        shown = asyncio.create_task(Codes(till.site, PINNED).take(text))
        await turns()
        disk_goes_on()
        with pytest.raises(JournalFull):
            await by_link
        with pytest.raises(JournalFull):
            await shown
    assert lease_key(GUEST, CNY) not in till.desk.state.leases


async def test_shown_again_it_is_no_news(till: Till) -> None:
    """A photo of it, a week later, after more has been granted: nothing changes, and nobody is told off."""
    first, second = code(4_000), code(6_000, serial=2)
    for text in (first, second):
        assert (await take(till, text)).news
    size = till.journal.size
    for text in (first, second, first):
        taken = await take(till, text)
        assert (taken.news, taken.rights) == (False, 6_000)
    assert till.journal.size == size


async def test_the_answer_comes_after_the_disk(till: Till) -> None:
    """Nobody is told of rights that a power cut could take back."""
    with slow_disk(till.journal) as disk_goes_on:
        taking = asyncio.create_task(take(till, code(4_000)))
        await turns()
        assert not taking.done()
        disk_goes_on()
        assert (await taking).news


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("6222-0001", Fault.NOT_OURS),
        ("https://example.com/FT1:", Fault.NOT_OURS),
        (code(4_000)[:-40], Fault.CUT_OFF),
        (code(4_000)[:30] + "?" + code(4_000)[31:], Fault.UNREADABLE),
        (code(4_000, site="hz-2"), Fault.WRONG_SITE),
        (code(4_000, epoch=2), Fault.WRONG_EPOCH),
        (code(4_000, key=COSIGN_KEY), Fault.FORGED),
        (code(4_000, site="hz-2", key=COSIGN_KEY), Fault.WRONG_SITE),
    ],
    ids=["card", "link", "cut", "smudged", "other-site", "other-epoch", "forged", "the first fault is told"],
)
async def test_a_code_that_is_of_no_use_changes_nothing(till: Till, text: str, fault: Fault) -> None:
    """Each fault has its name and what to do about it."""
    size = till.journal.size
    assert await refuse(till, text) == fault
    assert till.journal.size == size


async def test_an_expired_grant_is_taken_in_and_given_back(till: Till) -> None:
    """Nothing is sold on it, but its money is not stranded: it returns with the next contact."""
    taken = await take(till, code(4_000, expires_s=NOW_S - 60, start=order(1)))
    assert (taken.news, taken.expired, taken.rights) == (True, True, 4_000)
    assert taken.refused is not None
    assert taken.refused.refusal == Refusal.GRANT_EXPIRED
    await till.site.heard()
    assert (till.lease(GUEST).returned, till.lease(GUEST).rights) == (4_000, 0)


async def test_a_code_carries_the_time(till: Till) -> None:
    """A box without link and clock learns from headquarters' signature that it is not before the grant was made."""
    before_ms = till.clock.stamp().lb_ms
    await take(till, code(4_000, issued_s=before_ms // 1000 + 3_600))
    assert till.clock.stamp().lb_ms == before_ms // 1000 * 1000 + 3_600_000


# --- a start ----------------------------------------------------------------------------------------------------------


async def test_a_guest_pays_by_phone_and_charges(till: Till) -> None:
    """40.00 paid, some of it used: the bill takes its part, the rest goes back in the same commit."""
    taken = await take(till, code(4_000, start=order(1, preset=Preset("money", 4_000))))
    assert taken.session is not None
    assert (taken.session.account, taken.session.hold_fen, taken.again) == (GUEST, 4_000, False)
    till.obey()
    await till.wait(60)
    await till.finish()
    (opened,), (closed,) = till.bodies(SessionOpened), till.bodies(SessionClosed)
    assert (opened.origin.via, opened.origin.number, opened.origin.credential) == ("qr", 1, b"")
    lease = till.lease(GUEST)
    assert (lease.used, lease.returned, lease.rights) == (closed.amount_fen, 4_000 - closed.amount_fen, 0)


async def test_the_code_of_a_running_session_does_not_stop_it(till: Till) -> None:
    """A code adds rights, never authority: whoever has a photo of it ends nothing."""
    text = code(4_000, start=order(1))
    first = await take(till, text)
    again = await take(till, text)
    assert again.again
    assert first.session is not None
    assert again.session is not None
    assert again.session.seq == first.session.seq
    assert till.desk.wants_delivery("c1")


async def test_a_code_starts_once(till: Till) -> None:
    """After its session the same code, and any with a number not above it, is refused; the next number starts."""
    text = code(4_000, start=order(2))
    await take(till, text)
    await till.finish()
    for used in (text, code(9_000, serial=2, start=order(1)), code(9_000, serial=2, start=order(2))):
        taken = await take(till, used)
        assert taken.refused is not None
        assert taken.refused.refusal == Refusal.OLD_NUMBER
    assert (await take(till, code(9_000, serial=2, start=order(3)))).session is not None


async def test_numbers_are_each_accounts_own(till: Till) -> None:
    """Another customer's first start is not kept out by somebody's fifth."""
    await take(till, code(4_000, start=order(5)))
    taken = await take(till, code(4_000, account="guest-8", start=order(1, "c2")))
    assert taken.session is not None


async def test_numbers_outlive_a_power_cut(till: Till, tmp_path: Path) -> None:
    """They are in the log: a cloned screen shown after a restart starts nothing."""
    text = code(4_000, start=order(1))
    await take(till, text)
    await till.finish()
    await reopen(till, tmp_path, boot=b"boot-002")
    taken = await take(till, text)
    assert taken.refused is not None
    assert taken.refused.refusal == Refusal.OLD_NUMBER


async def test_power_is_cut_between_grant_and_start(till: Till, tmp_path: Path) -> None:
    """The grant is in the log, the session is not: the code, shown again, starts it."""
    text = code(4_000, start=order(1))
    await till.site.accept(carried.read(text).grant_bytes, lease_key(GUEST, CNY))
    await reopen(till, tmp_path, boot=b"boot-002")
    taken = await take(till, text)
    assert taken.session is not None
    assert (taken.news, taken.session.hold_fen) == (False, 1_000)


async def test_a_late_start_is_refused(till: Till) -> None:
    """The start has a time of its own: provably past it, the code is a grant and no more."""
    taken = await take(till, code(4_000, start=order(1, expires_s=NOW_S - 1)))
    assert taken.news
    assert taken.refused is not None
    assert taken.refused.refusal == Refusal.START_EXPIRED


async def test_no_car_yet(till: Till) -> None:
    """Refused, plugged in, shown again: it starts. What the first try brought has waited for it, online or not."""
    text = code(4_000, start=order(1, expires_s=NOW_S + 600))
    till.bays["c1"].plugged = False
    taken = await take(till, text)
    assert taken.refused is not None
    assert (taken.refused.refusal, taken.connector, taken.rights) == (Refusal.NO_CAR, "c1", 4_000)
    await till.site.heard()
    assert till.lease(GUEST).rights == 4_000
    till.bays["c1"].plugged = True
    assert (await take(till, text)).session is not None


async def test_no_car_ever(till: Till) -> None:
    """Nobody comes back: once the start has expired the money goes back, at the next contact."""
    till.bays["c1"].plugged = False
    await take(till, code(4_000, start=order(1, expires_s=NOW_S + 600)))
    till.time += 601_000
    learn_the_time(till)
    assert till.lease(GUEST).rights == 4_000
    await till.site.heard()
    assert (till.lease(GUEST).returned, till.lease(GUEST).rights) == (4_000, 0)


async def test_power_is_cut_after_a_refused_start(till: Till, tmp_path: Path) -> None:
    """Nobody remembers the start then: what may not stay goes back at the first contact of the new run."""
    till.bays["c1"].plugged = False
    await take(till, code(4_000, start=order(1)))
    await reopen(till, tmp_path, boot=b"boot-002")
    await till.site.heard()
    assert (till.lease(GUEST).returned, till.lease(GUEST).rights) == (4_000, 0)


async def test_a_grant_without_a_start_waits_for_its_customer(till: Till) -> None:
    """Contact with headquarters takes nothing from somebody who has shown a code and now fetches the card."""
    await take(till, code(4_000))
    await till.site.heard()
    assert till.lease(GUEST).rights == 4_000


async def test_what_comes_after_a_restart_is_not_left_over(till: Till, tmp_path: Path) -> None:
    """The first contact returns what an earlier run left, not what a customer has brought since."""
    await take(till, code(1_000))
    await reopen(till, tmp_path, boot=b"boot-002")
    await take(till, code(4_000, serial=2))
    await till.site.heard()
    assert till.lease(GUEST).rights == 4_000


async def test_a_card_number_given_in_as_a_code_is_in_no_log(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody types it into the page's form."""
    assert await refuse(till, "6222-0001") == Fault.NOT_OURS
    assert "6222" not in capsys.readouterr().out


async def test_a_code_asks_nobody_for_more(till: Till) -> None:
    """Its customer has said how much: a fill-up within it waits for no answer from headquarters."""
    asked = []

    async def ask(credential: bytes, account: str, want: int) -> bool:
        asked.append(want)
        return False

    till.site.ask_for_grant = ask
    taken = await take(till, code(500, start=order(1)))
    assert taken.session is not None
    assert taken.session.hold_fen == 500
    assert asked == []


async def test_scanned_twice_at_the_same_moment(till: Till) -> None:
    """By the scanner and by the page: one session, and the other is told that it is being started."""
    text = code(4_000, start=order(1))
    codes = Codes(till.site, PINNED)
    both = await asyncio.gather(codes.take(text), codes.take(text))
    sessions = [one.session for one in both if isinstance(one, Taken) and one.session is not None]
    assert len({session.seq for session in sessions}) == 1
    assert len(till.bodies(SessionOpened)) == 1


async def test_a_code_for_a_place_in_use(till: Till) -> None:
    """Somebody charges there already: told so, and the rights are there for another place."""
    await till.start("c1")
    taken = await take(till, code(4_000, start=order(1)))
    assert taken.refused is not None
    assert taken.refused.refusal == Refusal.CONNECTOR_BUSY
    await till.finish(StopReason.LOCAL)
    await until(lambda: not till.desk.sessions())


async def test_a_card_and_then_a_code_pay_together(tmp_path: Path) -> None:
    """0.60 stored and 0.40 just paid, at one charger: the code joins the card's session, is drawn on last, and once."""
    async with a_till(tmp_path, granted_fen=60) as till:
        text = code(40, start=order(1))
        tapped = await till.site.tap("c1", CARD)
        assert tapped.session is not None
        for again in (False, True):
            taken = await take(till, text)
            assert (taken.session and taken.session.seq, taken.again) == (tapped.session.seq, again)
        (joined,) = till.bodies(SessionExtended)
        assert joined.holds == [Hold(GUEST, CNY, 40)]
        till.obey()
        await till.wait(420)
        await till.finish()
        (bill,) = till.bodies(SessionClosed)
        assert 60 < bill.amount_fen <= 100
        assert (till.lease().used, till.lease(GUEST).used) == (60, bill.amount_fen - 60)
        assert till.lease(GUEST).returned == 100 - bill.amount_fen


async def test_a_code_joins_no_strangers_session(till: Till) -> None:
    """Minutes later, or where another code has begun it: the wrong place was scanned, and nothing is held."""
    await till.grant(600, may_stay=600)
    assert (await till.site.tap("c1", CARD)).session is not None
    till.obey()
    await till.wait(JOIN_S + 1)
    assert (await take(till, code(4_000, account="late", start=order(1)))).refused is not None
    assert (await take(till, code(4_000, start=order(1, "c2")))).session is not None
    refused = (await take(till, code(4_000, account="other", start=order(1, "c2")))).refused
    assert refused is not None
    assert refused.refusal == Refusal.CONNECTOR_BUSY
    assert till.bodies(SessionExtended) == []
    await till.finish()
