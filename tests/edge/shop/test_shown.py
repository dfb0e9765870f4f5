"""What the panel says of cabinets, sessions and packs, and what can be asked there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.twins.cabinets.pack import pack_code
from drivers.twins.cabinets.rider_words import swaps
from edge.config import Config
from edge.daemon_state import Daemon
from edge.page import cabinet_values
from edge.panel import show, show_swap
from edge.panel.messages_swap import CabinetView, PackView, SwapView
from edge.panel.paper import Paper
from edge.panel.record_view import gist
from edge.panel.server import answer
from edge.premises import Premises
from edge.shop.setup import set_up
from protocols.trade.records import TechnicianAct
from protocols.trade.records_pack import PackNoted, SwapClosed, SwapOpened, SwapStepped
from tests.edge.desk_rig import CARD
from tests.edge.shop.shop_rig import CABINET, Front, a_shop


def daemon_of(shop: Front) -> Daemon:
    """The daemon as the panel sees it."""
    daemon = Daemon(Config("hz-1", "/nowhere"), Premises({}, {}, {}), shop.clock, shop.time.mono_ms)
    daemon.journal, daemon.site = shop.journal, shop.site
    return daemon


async def ask(daemon: Daemon, verb: str, **args: Any) -> Any:
    told = await answer(daemon, msgspec.json.encode({"verb": verb, "args": args}), "li")
    assert told.trouble is None, told.trouble
    return msgspec.to_builtins(told.result)


async def trouble(daemon: Daemon, verb: str, **args: Any) -> tuple[str, str]:
    """Its code and what to do next."""
    told = await answer(daemon, msgspec.json.encode({"verb": verb, "args": args}), "li")
    assert told.trouble is not None, told.result
    return told.trouble.code, told.trouble.remedy


async def test_a_swap_from_the_panel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Opened by card, followed in `swaps` and `slots`, found in `packs` when it is over."""
    async with a_shop(tmp_path) as shop:
        daemon = daemon_of(shop)
        shop.rider(swaps)
        told = await ask(daemon, "swap", cabinet=CABINET, card=CARD)
        assert (told["kind"], told["account"], told["offer"], told["step"], told["slot"]) == (
            "swap", "ann", "swaps30", "open-empty", 1,
        )  # fmt: skip
        await shop.wait(1)
        running, front = await ask(daemon, "swaps"), await ask(daemon, "cabinets")
        assert [one["door"] for one in front[0]["slots"]] == ["open", *["shut"] * 5]
        assert [one["may_charge"] for one in front[0]["slots"]] == [False, *[True] * 5]
        await shop.end()
        known = await ask(daemon, "packs")
        assert [(one["code"], one["where"], one["account"]) for one in known if one["account"]] == [
            (pack_code(105), "rider", "ann")
        ]
        paper = Paper(colours=False)
        show_swap.opened(paper, msgspec.convert(told, SwapView))
        show_swap.swaps(paper, msgspec.convert(running, list[SwapView]))
        show_swap.cabinets(paper, msgspec.convert(front, list[CabinetView]))
        show_swap.packs(paper, msgspec.convert(known, list[PackView]))
        text = capsys.readouterr().out
        assert "session hz-1/1/7 is open: swap by swaps30, ann holds 1 SWAPS30" in text
        assert re.search(rf"cab-1 5 +shut +pack +{pack_code(105)}", text)


async def test_why_not(tmp_path: Path) -> None:
    """Each refusal has its code and what to do next."""
    async with a_shop(tmp_path) as shop:
        daemon = daemon_of(shop)
        assert await trouble(daemon, "swap", cabinet=CABINET) == ("bad-request", "")
        assert (await trouble(daemon, "swap", cabinet="cab-9", account="ann"))[0] == "unknown-cabinet"
        assert (await trouble(daemon, "slot-act", cabinet=CABINET, slot=9, act="open", because="look"))[
            0
        ] == "unknown-slot"
        await shop.begin_swap()
        code, remedy = await trouble(daemon, "swap", cabinet=CABINET, account="ann")
        assert (code, remedy) == (
            "cabinet-busy", "`fieldtill swaps` shows the session; `fieldtill stop CABINET` ends it."
        )  # fmt: skip
        assert (await trouble(daemon, "slot-act", cabinet=CABINET, slot=4, act="open", because="look"))[
            0
        ] == "cabinet-busy"
        assert (await ask(daemon, "stop", connector=CABINET))["stopping"]
        await shop.wait(1)
        shop.front.shut(CABINET, 1, "li")
        assert (await shop.end()).outcome == "cancelled"
        assert (await trouble(daemon, "stop", connector=CABINET))[0] == "no-such-session"
        _, remedy = await trouble(daemon, "swap", cabinet=CABINET, account="ann", offer="gold")
        assert remedy.startswith("The terms here have swaps30, ")


async def test_what_would_have_to_be_granted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A plan is counted in its own units: one swap that is wanted is not a fen."""
    async with a_shop(tmp_path) as shop:
        told = await answer(daemon_of(shop), b'{"verb":"swap","args":{"cabinet":"cab-1","account":"zed"}}', "li")
        assert told.trouble is not None
        assert (told.trouble.want, told.trouble.want_asset) == (1, "SWAPS30")
        show.trouble(Paper(colours=False), told.trouble)
        assert "needed  1 SWAPS30 granted in total" in capsys.readouterr().out


async def test_the_whole_site_at_a_glance(tmp_path: Path) -> None:
    """`status` tells of cabinets and of what they sell by; nothing is missing that this site does not need."""
    async with a_shop(tmp_path) as shop:
        told = await ask(daemon_of(shop), "status")
        assert [(one["kind"], one["version"]) for one in told["papers"]] == [("tariff", 1), ("swap-terms", 1)]
        assert [(one["id"], len(one["slots"])) for one in told["cabinets"]] == [(CABINET, 6)]
        assert told["ports"] == []


async def test_staff_at_the_panel(tmp_path: Path) -> None:
    """Slots off and on, a scan, an inspection: each act is in the log with who did it."""
    async with a_shop(tmp_path) as shop:
        daemon = daemon_of(shop)
        await ask(daemon, "slot-act", cabinet=CABINET, slot=4, act="off", because="cleaning")
        assert (await ask(daemon, "cabinets", cabinet=CABINET))[0]["slots"][3]["state"] == "off"
        await ask(daemon, "slot-act", cabinet=CABINET, slot=4, act="on", because="clean")
        await ask(daemon, "packs-scan", cabinet=CABINET)
        assert (await ask(daemon, "pack-inspected", cabinet=CABINET, slot=4, because="sound"))["code"] == pack_code(104)
        assert (await trouble(daemon, "pack-inspected", cabinet=CABINET, slot=1, because="sound"))[0] == "no-pack"
        acts = [(body.by, body.verb) for body in shop.bodies(TechnicianAct)]
        assert acts == [("li", "slot-off"), ("li", "slot-on"), ("li", "packs-scan"), ("li", "pack-inspected")]
        assert [body.what for body in shop.bodies(PackNoted)] == ["inspected"]


async def test_records_in_a_few_words(tmp_path: Path) -> None:
    """As `fieldtill records` shows them."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        await shop.begin_swap()
        await shop.end()
        words = [gist(body) for kind in (SwapOpened, SwapStepped, SwapClosed) for body in shop.bodies(kind)]
        assert words == [
            "cab-1 slot 1: swap of ann, by panel, holds 1 SWAPS30",
            f"session 7: accepted slot 1 {pack_code(1)}",
            f"session 7: open-full slot 5 {pack_code(105)}",
            f"session 7: given slot 5 {pack_code(105)}",
            f"session 7: swapped, in {pack_code(1)}, out {pack_code(105)}, ¥0.00",
        ]


async def test_a_cabinet_goes_by_its_number(tmp_path: Path) -> None:
    """What its config says stands on it: in commands, and for customers; without one its id."""
    async with a_shop(tmp_path) as shop:
        cabinets = {CABINET: shop.cabinet}
        numbered = set_up(shop.site, cabinets, shop.rules, shop.clock, numbers={CABINET: "7"})
        assert numbered is not None
        assert ("7" in numbered, numbered.id_of("7"), cabinet_values.name_of(numbered, CABINET)) == (True, CABINET, "7")
        plain = set_up(shop.site, cabinets, shop.rules, shop.clock)
        assert plain is not None
        assert ("7" in plain, cabinet_values.name_of(plain, CABINET)) == (False, CABINET)
