"""A shop front on this machine: a cabinet, three kinds of charging ports, riders, and the truth of every pack.

The world lives in the twins' process, which no test kills: it is what a site's records are held against.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from plant import SITE, WAIT_S, Plant
from shop_front_files import CABINET, CARDS, CONFIG, PORTS, SLOTS, SPEED, TWINS

from cloud import documents, schema_packs, store
from cloud.calendar import offsets_of
from edge.demo.shopfront_places import port_prices_toml, swap_terms_toml
from edge.demo.stage import BIN, StageError
from edge.till.fold import apply
from edge.till.state import TillState
from protocols.trade import port_prices, port_prices_file, swap_terms, swap_terms_file
from protocols.trade.codec import decode
from protocols.trade.records import CNY, Record, body_of
from protocols.trade.records_pack import SwapClosed, SwapOpened
from protocols.trade.records_port import PortClosed, PortOpened, PortUnattributed


class ShopPlant(Plant):
    """Headquarters, link, daemon and the twins of a shop front; who stands at the cabinet; what came of it all."""

    @property
    def riders(self) -> dict[str, str]:
        """Accounts by the name of the rider."""
        names = {card: name for name, card in CARDS.items()}
        return {names[card]: account for account, card in self.cards.items()}

    # --- how it is built ----------------------------------------------------------------------------------------------

    def publish_shop(self) -> None:
        """What swaps, rented packs and charging cost, and which packs are the fleet's."""
        zones = partial(offsets_of, now_ms=self.head.clock.now_ms())
        terms = swap_terms_file.read(tomllib.loads(swap_terms_toml()), zones, next_version=1, source="terms")
        prices = port_prices_file.read(tomllib.loads(port_prices_toml()), zones, next_version=1, source="prices")
        with store.writing(self.head.engine) as connection:
            for kind, document in ((swap_terms.KIND, terms), (port_prices.KIND, prices)):
                documents.publish(connection, self.head.keys, self.head.clock, kind, 1, document, [SITE])

    async def start_twins(self) -> None:
        home, dny_port, ykc_port = self.site_home, _free_port(), _free_port()
        people = "".join(
            f'\n[[shop.person]]\nname = "{name}"\ncredential = "{card}"\n'
            f'\n[[shop.pack]]\nnumber = {number}\nperson = "{name}"\nsoc_permille = 930\n'
            for number, (name, card) in enumerate(CARDS.items(), start=51)
        )
        twins = TWINS.format(
            home=home, speed=SPEED, slots=SLOTS, people=people, dny_port=dny_port, ykc_port=ykc_port
        )  # fmt: skip
        (home / "twins.toml").write_text(twins)
        command = [sys.executable, "-m", "drivers.twins", str(home / "twins.toml")]
        self._twins = await self._spawn("twins", command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        assert self._twins.stdout is not None
        async with asyncio.timeout(WAIT_S):
            assert json.loads(await self._twins.stdout.readline())["ready"]
        assert self.link is not None
        shop = (home / "shop.toml").read_text()
        config = CONFIG.format(hq_port=self.link.port, home=home, shop=shop, dny_port=dny_port, ykc_port=ykc_port)
        self.config.write_text(config)

    # --- who does what ------------------------------------------------------------------------------------------------

    async def tell(self, **command: Any) -> dict[str, Any]:
        """The twins do it."""
        answer: dict[str, Any] = await self.twin(**command)
        assert answer["ok"], answer
        return answer

    async def come(self, kind: str, who: str) -> None:
        """A rider is at the cabinet, as `drivers.twins.cabinets.rider_words` has it."""
        await self.tell(do="rider", cabinet=CABINET, who=f"{kind}:{who}")

    async def leave(self) -> None:
        """Whoever stands there goes; a passer-by shuts the doors."""
        await self.tell(do="leave", cabinet=CABINET)
        for slot, one in (await self.slots()).items():
            if one["open"]:
                await self.tell(do="shut", cabinet=CABINET, slot=int(slot))

    async def somebody_is_there(self) -> bool:
        return bool((await self.tell(do="state"))["shop"]["here"])

    async def slots(self) -> dict[str, Any]:
        """As they truly are."""
        found: dict[str, Any] = (await self.tell(do="state"))["shop"]["cabinets"][CABINET]["slots"]
        return found

    async def visit(self, kind: str, who: str, *, patience_s: float = 6.0) -> None:
        """A rider comes once the one before is served, and goes. Whoever waits for so long at a cabinet that does
        nothing, or is dead, goes."""
        loop = asyncio.get_running_loop()
        await self.served()
        await self.come(kind, who)
        idle_s = loop.time()
        while await self.somebody_is_there():
            with suppress(OSError, StageError):
                if (await self.shown())["swap"] is not None:
                    idle_s = loop.time()
            if loop.time() > idle_s + patience_s:
                await self.leave()
            await asyncio.sleep(0.1)

    async def plug(self, *boards: str) -> None:
        """A bike, or a car at the pile, that is full after some 100 Wh."""
        for board in boards:
            await self.plug_in(board)
            await self.port_until(board, lambda port: port["state"] == "plugged")

    async def plug_in(self, board: str) -> None:
        """The same, and nobody looks whether the board has seen it. Where one stands it stays."""
        port, power_w = int(PORTS[board].partition(".")[2]), 7_000 if board == "pile" else 240
        await self.twin(do="plug-in", board=board, port=port, room_wh=120, power_w=power_w)

    async def unplug(self, board: str) -> None:
        await self.twin(do="plug-out", board=board, port=int(PORTS[board].partition(".")[2]))

    async def go_dark(self, dark_s: float, late_ms: int) -> None:
        """The power of the whole shop is gone for a while: cabinet, boards, pile and box. Doors stay as they are, and
        hands go on. The box wakes with another boot and a wall clock that nobody has set."""
        await self.tell(do="cabinet-fault", cabinet=CABINET, fault={"kind": "power-cut"})
        for board in PORTS:
            await self.tell(do="board-dark", board=board, for_ms=1_000)
        await self.kill_daemon()
        await asyncio.sleep(dark_s)
        await self.tell(do="cabinet-clear", cabinet=CABINET, kind="power-cut")
        self.boot = os.urandom(8)
        self.set_clock(late_ms)
        await self.start_daemon()

    async def start_port(self, board: str, who: str) -> int:
        """Acknowledged; its seq."""
        answer = await self.panel("port-start", place=PORTS[board], card=CARDS[who])
        return int(answer["seq"])

    # --- what is shown ------------------------------------------------------------------------------------------------

    async def shown(self) -> dict[str, Any]:
        """The cabinet, as the daemon shows it."""
        found: dict[str, Any] = (await self.panel("cabinets", cabinet=CABINET))[0]
        return found

    async def status(self) -> dict[str, Any]:
        """With cabinets and ports."""
        status = await super().status()
        for verb in ("cabinets", "ports"):
            status[verb] = await self.panel(verb)
        return status

    async def port_until(self, board: str, true: Any) -> None:
        """Ask until its port is so."""
        await self.until(f"the port of {board}", lambda s: true(port_of(s, board)))

    async def step_is(self, *steps: str) -> None:
        """Ask until the open session has come to one of these steps."""
        await self.until(f"the step {' or '.join(steps)}", lambda s: (swap_of(s) or {}).get("step") in steps)

    async def ended(self, kind: str) -> list[dict[str, Any]]:
        """Bodies of the records of one kind."""
        return [one["body"] for one in await self.panel("records", first=-200, limit=200, kind=kind)]

    async def served(self) -> None:
        """Nobody is there, no session runs at the cabinet, and a passer-by has shut what stood open."""
        busy = True
        async with asyncio.timeout(WAIT_S):
            while busy:
                with suppress(OSError, StageError):
                    busy = (await self.shown())["swap"] is not None
                await self.leave()
                await asyncio.sleep(0.2 * busy)

    async def sold_out(self) -> None:
        """No session runs any more, the cabinet has been scanned, the day is closed, all is acknowledged."""
        await self.until(
            "all sessions to end", lambda s: swap_of(s) is None and not any(p["session"] for p in s["ports"])
        )
        await self.panel("packs-scan", cabinet=CABINET)
        await self.panel("day-close")
        await self.until("everything to be acknowledged", lambda s: s["journal"]["cosigned"] == s["journal"]["records"])

    # --- the audit ----------------------------------------------------------------------------------------------------

    async def audit_shop(self) -> ShopAudit:
        """Stop the daemon, and compare everything that everybody remembers.

        1. Both sides hold the same records, and the command line finds the log sound.
        2. No door stands open, no session is open, nothing is held.
        3. Every pack is where the twins have it, by the site's fold and by headquarters.
        4. Nobody paid without a pack: of each rider and pack, what the log says was taken less what was put in is what
           truly moved, and each bill has a pack that was taken.
        5. What ports were billed is what flowed, to the step of the board's own counting.
        6. Site and headquarters agree to the fen, and the nightly run finds nothing unexplained.
        """
        truth = await self.tell(do="state")
        moves = (await self.tell(do="moves", cabinet=CABINET))["moves"]
        await self.end_daemon()
        found = ShopAudit(self._read_log())
        at_hq = self.records_at_hq()
        assert found.leaves[: len(at_hq)] == at_hq
        assert {decode(leaf, Record).kind for leaf in found.leaves[len(at_hq) :]} <= {"grant-accepted"}
        await self._verify()

        slots = truth["shop"]["cabinets"][CABINET]["slots"]
        assert [slot for slot, one in slots.items() if one["open"]] == []
        assert (found.state.shop.swaps, found.state.ports.sessions) == ({}, {})
        assert sorted(found.opened) == sorted(found.closed), "each session opened ends exactly once"

        places = {code: place for code, place in truth["shop"]["places"].items() if code.startswith("BT")}
        self._check_places(places, found)
        for code, account, net in _net_moves(moves, self.riders):
            assert found.net[account, code] == net, (
                f"{account} and {code}: {found.net[account, code]} by the log, {net}"
            )
        for seq, body in found.closed.items():
            if body.amount_fen:
                assert body.taken is not None, f"session {seq} cost {body.amount_fen} fen, and no pack was taken"
        self._check_ports(truth["ports"], found)
        self._check_books(found)
        report = self.night()
        assert {leg["leg"]: leg["unexplained"] for leg in report["legs"]}["packs"] == 0
        return found

    async def _verify(self) -> None:
        """As a technician does it."""
        command = [str(BIN / "fieldtill"), "verify", "--config", str(self.config)]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()

    def _check_places(self, truth: Mapping[str, str], found: ShopAudit) -> None:
        who = {account: name for name, account in self.riders.items()}
        seen = found.state.shop.packs
        at_site = {code: _place(one.where, one.cabinet, one.slot, who.get(one.account)) for code, one in seen.items()}
        table = schema_packs.packs
        with store.reading(self.head.engine) as connection:
            at_hq = {
                row.code: _place(row.at, row.cabinet, row.slot, who.get(row.account))
                for row in connection.execute(sa.select(table))
            }
        there = {code: place for code, place in truth.items() if code in seen}
        assert {code for code, place in truth.items() if "/" in place} <= there.keys()
        assert at_site == there
        assert at_hq == there

    def _check_ports(self, truth: Mapping[str, Any], found: ShopAudit) -> None:
        for board, place in PORTS.items():
            flowed_wh = truth[board][place.partition(".")[2]]["delivered_wh"]
            told_wh = [body.energy_wh or 0 for seq, body in found.port_closed.items() if found.port_at[seq] == place]
            told_wh += [body.energy_wh or 0 for body in found.unattributed if f"{body.board}.{body.port}" == place]
            behind_wh = flowed_wh - sum(told_wh)
            assert 0 <= behind_wh < 10 * max(1, len(told_wh)), f"{place}: {flowed_wh} Wh flowed, {told_wh} were told"

    def _check_books(self, found: ShopAudit) -> None:
        books, leases = self.books(), list(found.state.leases.values())
        assert (books.remainder, books.quarantined, books.overrun) == (0, 0, 0)
        assert books.paid_in == self.paid_in_fen
        assert all(lease.asset == CNY and lease.held == 0 and lease.rights >= 0 for lease in leases)
        bills = [*found.closed.values(), *found.port_closed.values()]
        assert books.spent == sum(lease.used for lease in leases) == sum(body.amount_fen for body in bills)


class ShopAudit:
    """What the log says, read by somebody who trusts nothing but its bytes. net: by account and pack, how often taken
    less how often put in."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves
        self.state = TillState()
        self.opened: dict[int, SwapOpened] = {}
        self.closed: dict[int, SwapClosed] = {}
        self.port_at: dict[int, str] = {}
        self.port_closed: dict[int, PortClosed] = {}
        self.unattributed: list[PortUnattributed] = []
        self.net = Counter[tuple[str, str]]()
        for seq, leaf in enumerate(leaves):
            record = decode(leaf, Record)
            self.state = apply(self.state, record)
            match body_of(record):
                case SwapOpened() as body:
                    self.opened[seq] = body
                case SwapClosed() as body:
                    assert body.session not in self.closed
                    self.closed[body.session] = body
                    account = self.opened[body.session].account
                    for pack, by in ((body.taken, 1), (body.returned, -1)):
                        if pack is not None:
                            self.net[account, pack.code] += by
                case PortOpened() as body:
                    self.port_at[seq] = f"{body.board}.{body.port}"
                case PortClosed() as body:
                    assert body.session not in self.port_closed
                    self.port_closed[body.session] = body
                case PortUnattributed() as body:
                    self.unattributed.append(body)

    def outcomes(self) -> Counter[str]:
        return Counter(body.outcome for body in self.closed.values())


def swap_of(status: Mapping[str, Any]) -> dict[str, Any] | None:
    """The session at the cabinet."""
    found: dict[str, Any] | None = status["cabinets"][0]["swap"]
    return found


def port_of(status: Mapping[str, Any], board: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in status["ports"] if one["place"] == PORTS[board])
    return found


def _net_moves(moves: list[dict[str, Any]], riders: Mapping[str, str]) -> list[tuple[str, str, int]]:
    """Of each pack and rider, how often it truly went out to them less how often they put it in."""
    net = Counter[tuple[str, str]]()
    for moved in moves:
        for who, by in ((moved["now"], 1), (moved["was"], -1)):
            if who in riders:
                net[moved["name"], riders[who]] += by
    return [(code, account, count) for (code, account), count in net.items() if code.startswith("BT")]


def _place(where: str, cabinet: str, slot: int, rider: str | None) -> str:
    """As the twins say it; where nobody knows, so."""
    return f"{cabinet}/{slot}" if where == "slot" else str(rider) if where == "rider" else where


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@asynccontextmanager
async def shop_plant(root: Path, *, placed_fen: int = 20_000) -> AsyncIterator[ShopPlant]:
    """Everything running, each rider with money at the site, and the daemon ready to sell."""
    site = ShopPlant(root / "shop")
    site.clear()
    try:
        await site.open_headquarters()
        site.publish_shop()
        await site.start_twins()
        for card in CARDS.values():
            site.customer(card, placed_fen, placed_fen=placed_fen)
        await site.start_daemon()
        await site.until("slots, ports and grants", _can_sell)
        yield site
    finally:
        await site.close()
        site.head.engine.dispose()


def _can_sell(status: Mapping[str, Any]) -> bool:
    slots = status["cabinets"][0]["slots"]
    seen = all(slot["door"] == "shut" and slot["holds"] != "unsure" for slot in slots)
    ports = all(port["state"] is not None for port in status["ports"])
    return seen and ports and (status["value"] or {}).get("accounts") == len(CARDS)
