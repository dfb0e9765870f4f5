"""What can a technician ask the running daemon, and tell it to do?"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from edge.panel import show, show_fuel, show_port, show_swap
from edge.panel.cli_shared import AsJson, Config, Exit, Socket, ask, connect, reason, say
from edge.panel.client import Client, Failed
from edge.panel.messages import DayView, DeviceView, HqView, LineView, PointView, SessionView, StatusView, Trouble
from edge.panel.messages_fuel import FillingView
from edge.panel.messages_port import PortSessionView
from edge.panel.messages_swap import SwapView
from edge.panel.paper import Paper, counted, energy, money
from protocols.trade.records import KINDS

app = typer.Typer()
day_app = typer.Typer(no_args_is_help=True, help="The site day.")
app.add_typer(day_app, name="day")


@app.command(epilog="Example: fieldtill status --json")
def status(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """The site at a glance: link, log, value, connectors, and what is wrong."""
    told = ask(config, socket, "status")
    say(as_json, told, lambda paper: show.status(paper, msgspec.convert(told, StatusView)))


@app.command(epilog="Example: fieldtill devices")
def devices(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Every line and device: who answers, how fast, how often not, and why."""
    told = ask(config, socket, "devices")
    lines, listed = msgspec.convert(told["lines"], list[LineView]), msgspec.convert(told["devices"], list[DeviceView])
    say(as_json, told, lambda paper: show.devices(paper, lines, listed))


@app.command(epilog="Examples: fieldtill read meter-1; fieldtill read charger-1 --watch")
def read(
    device: Annotated[str, typer.Argument(help="Its id in the config.")],
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.1)] = 1.0,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Every value of a device, with its age and the milliseconds its request took."""
    with connect(config, socket) as daemon:
        while True:
            told = daemon.ask("read", device=device)
            view, points = msgspec.convert(told["device"], DeviceView), msgspec.convert(told["points"], list[PointView])
            if watch and sys.stdout.isatty() and not as_json:
                sys.stdout.write("\x1b[H\x1b[J")
            say(as_json, told, partial(show.points, view=view, listed=points))
            if not watch:
                return
            time.sleep(every)


@app.command(epilog="Examples: fieldtill scan rs485; fieldtill scan island-1 --protocol dart --first 80 --last 95")
def scan(
    line: Annotated[str, typer.Argument(help="Its id in the config.")],
    protocol: Annotated[str, typer.Option(help="modbus, or a pump's or a pack's; else what the line has.")] = "",
    first: Annotated[int | None, typer.Option(help="Address; else the protocol's first.", min=1, max=255)] = None,
    last: Annotated[int | None, typer.Option(help="Else the protocol's last.", min=1, max=255)] = None,
    timeout_ms: Annotated[int | None, typer.Option(help="Patience with each address.", min=10, max=5000)] = None,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Who answers on a line? Asks each address in turn, beside the daemon's polls, by questions that change nothing.

    A line with nothing on it is asked in each protocol that its settings allow, until somebody answers in one.
    """
    progress = Paper(sys.stderr)
    found: list[dict[str, Any]] = []
    asked: list[str] = []
    with connect(config, socket) as daemon:
        for part in daemon.ask("scan-plan", line=line, protocol=protocol):
            name, begin_at, end_at = part["protocol"], first or part["first"], last or part["last"]
            for begin in range(begin_at, end_at + 1, _SCAN_STEP):
                end = min(end_at, begin + _SCAN_STEP - 1)
                if progress.is_terminal:
                    sys.stderr.write(f"\r{name}, {begin} to {end} of {end_at} \x1b[K")
                step = {"first": begin, "last": end, "timeout_ms": timeout_ms}
                found += daemon.ask("scan", line=line, protocol=name, **step)
            asked.append(f"{name} {begin_at} to {end_at}")
            if any(one["sure"] for one in found):
                break
    if progress.is_terminal:
        sys.stderr.write("\r\x1b[K")
    say(as_json, found, lambda paper: show.found(paper, line, asked, found))
    if not found:
        raise typer.Exit(Exit.REFUSED)


@app.command(epilog='Example: fieldtill raw rs485 "01 03 00 00 00 01 84 0a"')
def raw(
    line: Annotated[str, typer.Argument(help="Its id in the config.")],
    frame: Annotated[str, typer.Argument(help="The whole frame in hex, with its checksum.")],
    timeout_ms: Annotated[int, typer.Option(help="Until the first byte.", min=10, max=30_000)] = 1000,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Send bytes as they are, between two polls, and show what comes back. It goes into the site's log."""
    told = ask(config, socket, "raw", line=line, frame=frame, timeout_ms=timeout_ms)
    say(as_json, told, lambda paper: paper.pairs([(">>", told["sent"]), ("<<", told["received"] or "nothing")]))


@app.command(epilog="Example: fieldtill sessions --json")
def sessions(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """The open sessions of every kind: phase, energy or litres or step, price so far, hold, time left."""
    with connect(config, socket) as daemon:
        told = [daemon.ask(verb) for verb in _OPEN]

    def text(paper: Paper) -> None:
        shown = False
        for views, show_them in zip(told, _SHOW, strict=True):
            if views:
                if shown:
                    paper.write()
                show_them(paper, views)
                shown = True
        if not shown:
            paper.write("no session is open")

    say(as_json, [view for views in told for view in views], text)


@app.command(
    epilog="Examples: fieldtill start c1 --card 6222-0001 --money 20; fieldtill start c1 --account acc-7 --time 2h; "
    "fieldtill start c1 --tender acc-7:POINTS --tender acc-7 --tender guest-3"
)
def start(
    connector: Annotated[str, typer.Argument(help="Its id in the config.")],
    card: Annotated[str, typer.Option(help="The card as the reader would say it; `-` reads it from stdin.")] = "",
    account: Annotated[str, typer.Option(help="Or the account that pays.")] = "",
    tender: Annotated[
        list[str] | None, typer.Option(help="Or several, ACCOUNT or ACCOUNT:ASSET, drawn on in this order.")
    ] = None,
    money_: Annotated[str, typer.Option("--money", help="Stop at this price: yuan, at most two decimals.")] = "",
    energy_: Annotated[str, typer.Option("--energy", help="Stop at this energy: kWh, at most three decimals.")] = "",
    time_: Annotated[str, typer.Option("--time", help="Stop after this time: 90s, 30m or 2h.")] = "",
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Open a session, as a tap at the reader would. Without a preset it fills up."""
    if [bool(card), bool(account), bool(tender)].count(True) != 1:
        raise typer.BadParameter("expected --card, --account or --tender, one of them")
    account = account or "+".join(tender or ())
    preset, amount = preset_of(money_, energy_, time_)
    number = sys.stdin.readline().strip() if card == "-" else card
    told = ask(config, socket, "start", connector=connector, card=number, account=account, preset=preset, amount=amount)
    say(as_json, told, lambda paper: show.session(paper, msgspec.convert(told, SessionView)))


@app.command(epilog="Example: fieldtill extend 14 --account guest-3 --money 40")
def extend(
    session: Annotated[int, typer.Argument(help="Its number, as `fieldtill sessions` shows it.")],
    card: Annotated[str, typer.Option(help="The card that pays on; `-` reads it from stdin.")] = "",
    account: Annotated[str, typer.Option(help="Or the account: ACCOUNT or ACCOUNT:ASSET.")] = "",
    money_: Annotated[str, typer.Option("--money", help="So many yuan, no less; else what it has here.")] = "",
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Give a running session a further hold: more of the same, or a second payer, who is drawn on last."""
    if bool(card) == bool(account):
        raise typer.BadParameter("expected --card or --account, one of them")
    number = sys.stdin.readline().strip() if card == "-" else card
    name, _, asset = account.partition(":")
    args = {"amount_fen": preset_of(money_, "", "")[1]} if money_ else {}
    told = ask(config, socket, "extend", session=session, card=number, account=name, asset=asset or "CNY", **args)
    say(as_json, told, lambda paper: show.session(paper, msgspec.convert(told, SessionView)))


@app.command(epilog="Examples: fieldtill stop c1 --wait; fieldtill stop --session 14")
def stop(
    connector: Annotated[str, typer.Argument(help="Whose session.")] = "",
    session: Annotated[int | None, typer.Option(help="Or the session's number.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is settled, and show the bill.")] = False,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """End a session: stop, read the last register, make the bill."""
    if bool(connector) == (session is not None):
        raise typer.BadParameter("expected a connector or --session, one of them")
    with connect(config, socket) as daemon:
        told = daemon.ask("stop", connector=connector, session=session)
        if not wait:
            return say(as_json, told, lambda paper: paper.write(f"session {told['session']} is stopping"))
        bill = wait_for_end(daemon, told["session"])
    say(as_json, bill, lambda paper: show.records(paper, [bill]))
    return None


@app.command(epilog='Example: fieldtill settle 14 --because "meter burnt out, replaced"')
def settle(
    session: Annotated[int, typer.Argument(help="Its number.")],
    because: Annotated[str, reason("Why it is not waited for its meter, for the log.", 500)],
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Close a session that is held for review at its last register: that is billed, and the rest goes back."""
    told = ask(config, socket, "settle", session=session, because=because)
    say(as_json, told, lambda paper: paper.write(f"session {told['session']} is settled at its last register"))


@app.command(epilog="Examples: fieldtill records; fieldtill records --first 0 --kind session-closed --journal copy.db")
def records(
    first: Annotated[int, typer.Option(help="From this one on; negative: counted from the end.")] = -20,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 20,
    kind: Annotated[str, typer.Option(help="Only of this kind, as the table shows it.")] = "",
    journal: Annotated[Path | None, typer.Option(help="Read this file instead of asking the daemon.")] = None,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """The site's log, oldest first."""
    if kind and kind not in (known := {name for name, _ in KINDS.values()}):
        raise typer.BadParameter(f"expected one of {', '.join(sorted(known))}; got {kind!r}", param_hint="--kind")
    if journal is None:
        told = ask(config, socket, "records", first=first, limit=limit, kind=kind)
    else:
        from edge.panel.journal_file import records_of

        told = records_of(journal, first, limit, kind)
    say(as_json, told, lambda paper: show.records(paper, told))


@day_app.command("show", epilog="Example: fieldtill day show")
def day_show(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """What has been sold since the last day close."""
    told = ask(config, socket, "day")
    say(as_json, told, lambda paper: show.day(paper, msgspec.convert(told, DayView)))


@day_app.command("close", epilog="Example: fieldtill day close")
def day_close(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Read every meter and end the site day. Running sessions go on, and count in the next one."""
    told = ask(config, socket, "day-close")
    text = f"day {told['day']} is closed: {counted(told['sessions'], 'session')}, {energy(told['energy_wh'])}, "
    say(as_json, told, lambda paper: paper.write(text + money(told["amount_fen"])))


@app.command(epilog="Example: fieldtill sync")
def sync(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Exchange with headquarters now, and show how things stand."""
    told = ask(config, socket, "sync")
    say(as_json, told, lambda paper: show.hq(paper, msgspec.convert(told, HqView)))


_SCAN_STEP = 8
_SETTLED_WITHIN_S = 120.0
_OPEN = ("sessions", "fillings", "port-sessions", "swaps")
"""What the daemon is asked for its open sessions: each of a kind of its own."""
_SHOW: tuple[Callable[[Paper, Any], None], ...] = (
    lambda paper, told: show.sessions(paper, msgspec.convert(told, list[SessionView])),
    lambda paper, told: show_fuel.fillings(paper, msgspec.convert(told, list[FillingView])),
    lambda paper, told: show_port.sessions(paper, msgspec.convert(told, list[PortSessionView])),
    lambda paper, told: show_swap.swaps(paper, msgspec.convert(told, list[SwapView])),
)
_ENDS = ("session-closed", "filling-closed", "port-closed", "swap-closed", "session-voided")


def preset_of(money_: str, energy_: str, time_: str) -> tuple[str, int]:
    given = [(kind, text) for kind, text in (("money", money_), ("energy", energy_), ("time", time_)) if text]
    if len(given) > 1:
        raise typer.BadParameter("expected one of --money, --energy and --time")
    if not given:
        return "full", 0
    ((kind, text),) = given
    amount = duration_s(text) if kind == "time" else scaled(text, 2 if kind == "money" else 3)
    if amount is None or amount <= 0:
        raise typer.BadParameter(
            f"--{kind}: got {text!r}, which is no such amount; `fieldtill start --help` has examples"
        )
    return kind, amount


def scaled(text: str, places: int) -> int | None:
    """`12.5` with two places is 1250; None when it is not such a number."""
    match = re.fullmatch(r"(\d{1,9})(?:\.(\d+))?", text)
    if match is None or len(match[2] or "") > places:
        return None
    return int(match[1] + (match[2] or "").ljust(places, "0"))


def duration_s(text: str) -> int | None:
    match = re.fullmatch(r"(\d{1,6})([smh])", text)
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else None


def wait_for_end(daemon: Client, session: int) -> Any:
    """The record that ended a session, once it is durable."""
    end = time.monotonic() + _SETTLED_WITHIN_S
    while time.monotonic() < end:
        if all(one["seq"] != session for verb in _OPEN for one in daemon.ask(verb)):
            for kind in _ENDS:
                for one in reversed(daemon.ask("records", first=-100, limit=100, kind=kind)):
                    if one["body"]["session"] == session:
                        return one
        time.sleep(0.2)
    remedy = "`fieldtill sessions` and `fieldtill devices` show what it waits for."
    raise Failed(Trouble("not-settled", f"session {session} is not settled yet", remedy))
