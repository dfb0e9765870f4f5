"""The till's fold refuses logs that contradict themselves, and gives the same state wherever it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from edge.till.fold import Contradiction, apply
from edge.till.state import TillState, decode_state, encode_state, lease_key
from protocols.trade.codec import encode
from protocols.trade.grants import Grant, join
from protocols.trade.records import (
    CNY,
    DayClosed,
    Draft,
    Effect,
    EpochOpened,
    GrantAccepted,
    Hold,
    Move,
    Record,
    SessionClosed,
    SessionExtended,
    SessionHeld,
    SessionOpened,
    SessionVoided,
    TotalizersRead,
    ValueReturned,
    body_of,
    seal,
)
from tests.edge.till.story import CARD, Story


def sold() -> Story:
    """One session sold, and another one running with 500 of 10 000 fen held."""
    story = Story().grant(10_000, may_stay=10_000)
    story.start()
    story.pass_time(100).stop().pass_time(3)
    story.grant(500, "bob", card=b"card0002", may_stay=500)
    story.start(card=b"card0002")
    story.pass_time(10)
    return story


def used(amount: int, counter: int, account: str = "ann") -> Move:
    return Move(Effect.USED, account, CNY, "", amount, counter)


def returned(amount: int, counter: int, account: str = "ann") -> Move:
    return Move(Effect.RETURNED, account, CNY, "", amount, counter)


def closing(story: Story, seq: int, *moves: Move) -> Draft:
    """A closing record like the first one's, for another session."""
    return Draft(changed(story.bills[0], session=seq), moves)


def opening(story: Story, *holds: Hold) -> Draft:
    (session,) = story.state.sessions.values()
    return Draft(changed(session.opened, connector="c2", holds=list(holds)))


def grant_for(site: str, epoch: int) -> Draft:
    return Draft(GrantAccepted(join(Grant("ann", CNY, site, epoch, 9, 99_999, 0, 1, 0, 0, 1, [CARD]), bytes(64))))


@dataclass(frozen=True)
class Edit:
    """A record that cannot follow, and a word of what is said about it."""

    name: str
    draft: Callable[[Story], Draft]
    says: str


EDITS = [
    Edit("a second opening of the epoch", lambda s: Draft(EpochOpened("hz-1", 1, bytes(32), b"", b"", "x")), "opening"),
    Edit("a used counter that skips", lambda s: Draft(ValueReturned("ann", CNY), (used(5, 99),)), "used counter"),
    Edit("a used counter that stands", lambda s: Draft(ValueReturned("ann", CNY), (used(5, 20),)), "used counter"),
    Edit("a returned counter that skips", lambda s: Draft(ValueReturned("ann", CNY), (returned(5, 6),)), "returned"),
    Edit("more returned than was left", lambda s: Draft(ValueReturned("ann", CNY), (returned(9_981, 9_981),)), "-1"),
    Edit("more used than was held", lambda s: closing(s, 6, used(501, 501, "bob")), "-1"),
    Edit("held value returned", lambda s: Draft(ValueReturned("bob", CNY), (returned(1, 1, "bob"),)), "-1"),
    Edit("a move without a grant", lambda s: Draft(ValueReturned("eve", CNY), (used(1, 1, "eve"),)), "no grant"),
    Edit("a hold without a grant", lambda s: opening(s, Hold("eve", CNY, 1)), "no grant"),
    Edit("a hold beyond the rights", lambda s: opening(s, Hold("ann", CNY, 9_981)), "-1"),
    Edit("two holds that are too much together", lambda s: opening(s, *[Hold("ann", CNY, 5_000)] * 2), "-20"),
    Edit("an extension beyond the rights", lambda s: Draft(SessionExtended(6, [Hold("bob", CNY, 1)])), "-1"),
    Edit("an extension of nothing", lambda s: Draft(SessionExtended(3, [Hold("ann", CNY, 1)])), "not open"),
    Edit("a session closed twice", lambda s: closing(s, 3), "not open"),
    Edit("a session voided after its end", lambda s: Draft(SessionVoided(3, "Local")), "not open"),
    Edit("a session held after its end", lambda s: Draft(SessionHeld(3, "meter-silent", "")), "not open"),
    Edit("an overrun counter that skips", lambda s: Draft(ValueReturned("x", CNY), (overrun(5, 6),)), "overrun"),
    Edit("a grant for another site", lambda s: grant_for("hz-2", 1), "hz-2"),
    Edit("a grant for another epoch", lambda s: grant_for("hz-1", 2), "epoch 2"),
]


def overrun(amount: int, counter: int) -> Move:
    return Move(Effect.OVERRUN, "operator", CNY, "", amount, counter)


@pytest.mark.parametrize("edit", EDITS, ids=[edit.name for edit in EDITS])
def test_an_edited_log_is_refused(edit: Edit) -> None:
    """A record that cannot follow is named, with its place in the log; the state before it is untouched."""
    story = sold()
    before = encode_state(story.state)
    with pytest.raises(Contradiction, match=edit.says) as error:
        apply(story.state, seal(edit.draft(story), story.stamp()))
    assert f"record {story.state.size}" in str(error.value)
    assert error.value.remedy
    assert encode_state(story.state) == before


def test_a_left_out_record_is_noticed() -> None:
    """Any record that moves value, or opens or ends a session, cannot be left out unseen by what follows."""
    story = sold()
    story.stop().pass_time(3)
    story.start()
    story.pass_time(100).stop().pass_time(3)
    seen = 0
    for gap, record in enumerate(story.log):
        if isinstance(body_of(record), SessionOpened | SessionClosed):
            seen += 1
            later = [r for r in story.log[gap:] if r.moves or isinstance(body_of(r), SessionOpened | SessionClosed)]
            if later[1:]:
                with pytest.raises(Contradiction):
                    fold([*story.log[:gap], *story.log[gap + 1 :]])
    assert seen == 6


def test_a_doubled_record_is_noticed() -> None:
    """A record that moves value or ends a session cannot stand twice."""
    story = sold()
    story.stop().pass_time(3)
    for seq, record in enumerate(story.log):
        if record.moves or isinstance(body_of(record), SessionClosed):
            with pytest.raises(Contradiction):
                fold([*story.log[: seq + 1], *story.log[seq:]])


def test_kinds_of_later_software_are_kept_and_pass() -> None:
    """A record that this version does not know counts in the log, and changes nothing else."""
    story = sold()
    stamp = story.stamp()
    unknown = Record("loyalty-earned", 1, stamp, [Move("earned", "ann", "points", "", 5, 5)], encode([1]))
    after = apply(story.state, unknown)
    assert after == changed(story.state, size=story.state.size + 1)


def test_a_day_counts_what_closed_in_it() -> None:
    """The sums of a day begin at 0 after its closing record; its number rises."""
    story = sold()
    day = story.state.day
    assert (day.number, day.sessions, day.energy_wh, day.amount_fen) == (1, 1, 200, 20)
    register = story.register
    assert register is not None
    story.write(Draft(TotalizersRead([register])))
    story.write(Draft(DayClosed(day.number, day.first_seq, day.sessions, day.energy_wh, day.amount_fen, 0)))
    assert (story.state.day.number, story.state.day.first_seq) == (2, story.state.size)
    story.stop().pass_time(3)
    assert story.state.day.sessions == 1
    assert story.state.registers["m1"].energy_wh == story.register_wh


@given(st.data())
def test_a_snapshot_and_the_rest_are_the_whole(data: st.DataObject) -> None:
    """Wherever a snapshot is taken: its bytes decoded, and the records after it, give the state of the whole log."""
    log = LONG.log
    cut = data.draw(st.integers(0, len(log)))
    state = decode_state(encode_state(fold(log[:cut])))
    for record in log[cut:]:
        state = apply(state, record)
    assert state == LONG.state == fold(log)


@given(st.permutations(range(6)), st.lists(st.integers(0, 5)))
def test_grants_merge_in_any_order_and_number(order: list[int], repeats: list[int]) -> None:
    """Late, doubled, reordered: the largest total and the newest limits hold; a lost old one changes nothing."""
    news = [Grant("ann", CNY, "hz-1", 1, s, 100 * s, 0, 10 + s, s, s, 1, [bytes([s]) * 8]) for s in range(6)]
    story = Story()
    for index in (*order, *repeats):
        story.write(Draft(GrantAccepted(join(news[index], bytes(64)))))
    lease = story.lease()
    assert (lease.granted, lease.serial, lease.session_limit, lease.expires_s) == (500, 5, 5, 15)
    opens = {credential: keys for credential, keys in story.state.wallets.items() if keys}
    assert opens == {bytes([5]) * 8: (lease_key("ann", CNY),)}


def fold(log: list[Record]) -> TillState:
    state = TillState()
    for record in log:
        state = apply(state, record)
    return state


def long_story() -> Story:
    """Three customers, power cuts, silence, an overrun, several days."""
    story = Story()
    for round_ in range(4):
        for number, name in enumerate(("ann", "bob", "eve")):
            card = b"card000%d" % number
            story.grant(story.lease(name).granted + 400, name, card=card, may_stay=50 * number)
            story.start(card=card)
            story.pass_time(30)
            if number == round_ % 3:
                story.reboot()
            story.pass_time(20).stop().pass_time(4)
        day = story.state.day
        story.write(Draft(DayClosed(day.number, day.first_seq, day.sessions, day.energy_wh, day.amount_fen, 0)))
    return story


LONG = long_story()
