"""Records for people: one of each kind in a few words, and the last of a kind from a long log."""

from __future__ import annotations

import json

import pytest

from edge.panel.record_view import CHUNK, gist, preset_text, record_view, select
from protocols.trade import records as kinds
from protocols.trade.codec import encode
from protocols.trade.records import (
    ClockQuality,
    Draft,
    Effect,
    Hold,
    Move,
    Notice,
    Origin,
    Preset,
    Register,
    Stamp,
    seal,
)
from protocols.trade.records_fleet import PackMarked

STAMP = Stamp(b"boot-one", 1_000, 1_767_300_000_000, ClockQuality.INFORMATIVE, 1_767_225_600_000, None)
CARD = Origin("card", b"", 0, "")
BEGIN = Register("m1", 1_234_567, 1, 2)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (kinds.EpochOpened("hz-1", 3, bytes(32), b"", b"", "fieldtill 0.1.0"), "hz-1, epoch 3, fieldtill 0.1.0"),
        (
            kinds.SessionOpened(
                "c1", [Hold("acc-1", "CNY", 2_000)], Preset("energy", 5_000), CARD, BEGIN, [], 0, None
            ),
            "c1, 5.000 kWh, by card: acc-1 holds ¥20.00",
        ),
        (kinds.SessionExtended(7, [Hold("b", "CNY", 500), Hold("b", "POINTS", 3)]),
         "session 7: b holds ¥5.00, b holds 3 POINTS more"),
        (kinds.SessionExtended(7, [Hold("b", "DEPOSIT", 30_000)]), "session 7: b holds ¥300.00 DEPOSIT more"),
        (kinds.EpochClosed("new disk"), "the last record: new disk"),
        (kinds.CounterTicked(9), "the rollback counter goes to 9"),
        (kinds.SessionVoided(7, "Timeout"), "session 7: nothing billed, Timeout"),
        (kinds.SessionHeld(7, "meter-silent", "last 5 Wh"), "session 7: meter-silent, last 5 Wh"),
        (kinds.DayClosed(4, 0, 12, 118_250, 14_190, 0), "day 4: 12 sessions, 118.250 kWh, ¥141.90"),
        (kinds.TotalizersRead([BEGIN]), "m1 1234.567 kWh"),
        (kinds.TotalizersRead([]), "no meter answered"),
        (kinds.ClockMoved(0, 3_500, ClockQuality.INFORMATIVE), "by +3.5 s"),
        (kinds.TechnicianAct("li", "raw", "rs485 01"), "li: raw rs485 01"),
        (kinds.GrantAccepted(b"x" * 100), "a grant that this software cannot read"),
        (None, ""),
    ],
)  # fmt: skip
def test_a_record_in_a_few_words(body: object, text: str) -> None:
    """What a technician looks for in it."""
    assert gist(body) == text


def test_what_a_bill_in_money_does_not_say() -> None:
    """A swap by a plan and a deposit cost no money of the bill: the log's line says all the same."""
    moves = [
        Move(Effect.USED, "ann", "CNY", "", 19_900, 0),
        Move(Effect.USED, "ann", "DEPOSIT", "", 30_000, 0),
        Move(Effect.USED, "ann", "swaps-30", "", 1, 0),
    ]
    record = seal(Draft(kinds.SessionVoided(7, "Timeout"), tuple(moves)), STAMP)
    said = record_view(3, record)["gist"]
    assert said == "session 7: nothing billed, Timeout, ¥300.00 DEPOSIT of ann, 1 swaps-30 of ann"


def test_every_kind_of_a_site_has_words() -> None:
    """A new kind of record is shown by more than its name."""
    from edge.panel.record_view import _GISTS

    headquarters_own = {kinds.AccountActed, kinds.KeyPublished, kinds.EpochMarked, PackMarked}
    assert set(kinds.KINDS) - set(_GISTS) == headquarters_own


@pytest.mark.parametrize(
    ("preset", "text"),
    [(("full", 0), "full"), (("money", 2_050), "¥20.50"), (("time", 5_400), "90 min"), (("time", 90), "1 min 30 s")],
)
def test_a_preset_in_words(preset: tuple[str, int], text: str) -> None:
    """As the customer said it."""
    assert preset_text(Preset(*preset)) == text


def test_a_view_is_plain() -> None:
    """It goes through JSON, bytes as hex."""
    view = record_view(5, seal(Draft(kinds.TechnicianAct("li", "looked", "")), STAMP))
    assert json.loads(json.dumps(view)) == view
    assert (view["seq"], view["quality"]) == (5, "informative")


def test_the_last_of_a_kind_are_found_far_back() -> None:
    """`--first -2 --kind notice` counts notices, not records; oldest first."""
    act, notice = (
        encode(seal(Draft(body), STAMP)) for body in (kinds.TechnicianAct("li", "looked", ""), Notice("x", "c1", ""))
    )
    log = [notice, act, notice, notice] + [act] * (2 * CHUNK)

    def read(first: int, limit: int, bytes_max: int) -> list[bytes]:
        return log[first : first + limit]

    def found(first: int, limit: int, kind: str) -> list[int]:
        return [one["seq"] for one in select(read, first, len(log), limit, kind)]

    assert found(-2, 10, "notice") == [2, 3]
    assert found(-10, 2, "notice") == [0, 2]
    assert found(1, 2, "notice") == [2, 3]
    assert found(-3, 10, "") == [len(log) - 3, len(log) - 2, len(log) - 1]
    assert found(len(log) + 5, 10, "") == []
