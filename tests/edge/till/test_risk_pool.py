"""The operator's risk pool: off by default, for nobody who could be asked about, capped by card and in all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace as changed

from edge.till.purse import may_stop
from edge.till.start import Opening, Refusal, Refused
from protocols.trade import hotlist
from protocols.trade.records import CNY, RISK, Preset, SessionOpened
from tests.edge.till.story import CARD, FULL, POLICY, Story

STRANGER = b"card0009"


def pool(granted_fen: int = 5_000, *, per_card_fen: int = 800, limit: int = 500) -> Story:
    """A site with a risk pool, out of headquarters' reach; ann has no money left here."""
    story = Story(policy=changed(POLICY, risk_per_card_fen=per_card_fen), alone=True)
    return story.grant(0).grant(granted_fen, RISK, card=b"", limit=limit, may_stay=granted_fen)


def held(decision: Opening | Refused) -> int | None:
    """What the operator holds for this sale; None: it is refused."""
    if isinstance(decision, Refused):
        return None
    body = decision.draft.body
    assert isinstance(body, SessionOpened)
    (hold,) = body.holds
    assert (hold.account, hold.asset) == (RISK, CNY)
    return hold.amount


def nobody_alone(story: Story) -> None:
    story.alone = False


def switched_off(story: Story) -> None:
    story.policy = POLICY


def no_grant(story: Story) -> None:
    story.state = changed(story.state, leases={key: one for key, one in story.state.leases.items() if RISK not in key})


def empty_pool(story: Story) -> None:
    story.state = changed(story.state, leases={key: changed(one, granted=0) for key, one in story.state.leases.items()})


def old_grant(story: Story) -> None:
    leases = {
        key: changed(one, expires_s=1 if RISK in key else one.expires_s) for key, one in story.state.leases.items()
    }
    story.state = changed(story.state, leases=leases)


def closed_pool(story: Story) -> None:
    story.grant(0, RISK, card=b"", limit=0)


def listed(story: Story) -> None:
    story.hot_list = hotlist.make(1, 0, 1, [CARD])


def frozen(story: Story) -> None:
    leases = {key: changed(one, session_limit=0, credentials=()) for key, one in story.state.leases.items()}
    story.state = changed(story.state, leases=leases | {f"{RISK} CNY": story.lease(RISK)})


def too_much_for_the_session(story: Story) -> None:
    story.policy = changed(story.policy, risk_per_card_fen=3)


NOT: list[Callable[[Story], None]] = [
    nobody_alone, switched_off, no_grant, empty_pool, old_grant, closed_pool, listed, frozen, too_much_for_the_session,
]  # fmt: skip


def test_without_rights_and_without_headquarters_the_operator_pays() -> None:
    """The least of all caps is held, on the operator's account; the record names the card, whose purse is not used."""
    story = pool()
    assert held(story.ask()) == 500
    assert held(story.ask(card=STRANGER)) == 500
    assert held(story.ask(Preset("money", 400))) == 400
    assert held(story.ask(Preset("money", 501))) is None, "a preset is held whole or refused"
    seq = story.start()
    story.pass_time(60).stop().pass_time(3)
    (bill,) = story.bills
    assert story.lease(RISK).used == bill.amount_fen > 0
    assert story.lease("ann").used == 0
    assert story.log[seq].kind == "session-opened"
    assert story.state.risk_used == {CARD: 500}


@pytest.mark.parametrize("spoil", NOT)
def test_the_pool_stands_in_for_nobody_else(spoil: Callable[[Story], None]) -> None:
    """Everything must be as it should: one thing wrong, and the customer is refused as ever."""
    story = pool()
    assert held(story.ask()) is not None
    spoil(story)
    assert held(story.ask()) is None


def test_a_card_gets_so_much_in_an_epoch_and_no_more() -> None:
    """8.00 for each card: what was held counts, so that a rolled back or torn session cannot be repeated."""
    story = pool()
    assert held(story.ask()) == 500
    story.start()
    story.stop().pass_time(3)
    assert held(story.ask()) == 300
    story.start()
    story.stop().pass_time(3)
    refused = story.ask()
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.NOT_ENOUGH
    assert held(story.ask(card=STRANGER)) == 500


def test_the_pool_ends_where_its_grant_ends() -> None:
    """However many cards come: in all it is what headquarters has granted."""
    story = pool(1_200)
    for number in range(3):
        card = b"card%04d" % number
        while held(story.ask(card=card)) is not None:
            story.start(card=card)
            story.pass_time(3_000).stop().pass_time(3)
    lease = story.lease(RISK)
    assert 1_200 - 10 < lease.used <= 1_200
    assert lease.held == 0
    assert sum(bill.overrun_fen for bill in story.bills) == 0


def test_rights_come_before_risk() -> None:
    """Whoever has enough to start pays with it, little as it is."""
    story = pool().grant(50)
    decision = story.ask()
    assert isinstance(decision, Opening)
    body = decision.draft.body
    assert isinstance(body, SessionOpened)
    assert [hold.account for hold in body.holds] == ["ann"]


def test_several_payers_and_named_accounts_never_draw_on_it() -> None:
    """It is for a card at the reader, not for a promise to pay."""
    story = pool()
    assert held_by_name(story, "ann") is None
    assert held_by_name(story, RISK) is None
    assert held_by_name(story, "ann+guest") is None


def held_by_name(story: Story, payers: str) -> Opening | None:
    decision = story.ask(FULL, payers=payers)
    return decision if isinstance(decision, Opening) else None


def test_whoever_tapped_may_end_it() -> None:
    """The card that started the session opens no account that pays; it ends the session all the same."""
    story = pool()
    seq = story.start(card=STRANGER)
    session = story.state.sessions[seq]
    assert may_stop(story.state, session, STRANGER)
    assert not may_stop(story.state, session, CARD)
