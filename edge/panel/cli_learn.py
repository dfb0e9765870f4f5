"""What can be learnt of a site's wiring, by trying it with a technician in front of it?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from edge.panel.cli_shared import AsJson, Config, Exit, Socket, connect, dump
from edge.panel.client import Client
from edge.panel.messages_learn import LookView, WiredView
from edge.panel.paper import Paper

if TYPE_CHECKING:  # only this command pays for it
    from drivers.cabinets.evidence import Look, Opened, Wiring

app = typer.Typer(no_args_is_help=True, help="Learn how things are wired, by trying them.")


@app.command(
    "lock-polarity",
    epilog="Examples: fieldtill learn lock-polarity cab-1; fieldtill learn lock-polarity cab-1 3 --yes",
)
def lock_polarity(
    cabinet: Annotated[str, typer.Argument(help="Its id in the config.")],
    slot: Annotated[int | None, typer.Argument(help="Its number; else one after the other.", min=1, max=999)] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing: the door is shut now, and springs open by its pulse.")
    ] = False,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Open a slot, watch its lock's contact and its door's sensor, and say what to write into the config.

    Nothing is learnt from one answer: what is not steady, or contradicts itself, is said to be undecided.
    """
    if yes and slot is None:
        raise typer.BadParameter("`--yes` opens one slot: say which")
    paper = Paper(sys.stderr)
    learnt: list[tuple[WiredView, Wiring]] = []
    with connect(config, socket) as daemon:
        slots = msgspec.convert(daemon.ask("learn-slots"), list[WiredView])
        wanted = [one for one in slots if one.cabinet == cabinet and slot in (None, one.slot)]
        if not wanted:
            daemon.ask("learn-look", cabinet=cabinet, slot=slot or 1)  # says it when there is no such cabinet or slot
            paper.write("Neither a lock's contact nor a door's input is wired there: there is nothing to learn.")
        for one in wanted:
            if not yes and not typer.confirm(f"Open slot {one.slot} of {cabinet}? Its door is shut now", err=True):
                continue
            learnt.append((one, _learn(daemon, one, asking=not yes)))
    if as_json:
        dump([{"slot": one.slot, "lock": one.lock, **msgspec.to_builtins(wiring)} for one, wiring in learnt])
    else:
        told(Paper(), learnt)
    if not learnt or any(not decided(one, wiring) for one, wiring in learnt):
        raise typer.Exit(Exit.REFUSED)


def _learn(daemon: Client, slot: WiredView, *, asking: bool) -> Wiring:
    from drivers.cabinets.evidence import judge

    place = {"cabinet": slot.cabinet, "slot": slot.slot}
    shut = _looks(daemon.ask("learn-look", **place))
    last = {"contact": shut[-1].contact, "door": shut[-1].door}
    after = _looks(daemon.ask("learn-pulse", **place, before=last))
    if not asking:
        return judge(shut, after, None, "unasked")
    said: Opened = "no"
    if typer.confirm("Is a door open now?", err=True):
        said = "yes" if typer.confirm(f"Is it the door of slot {slot.slot}?", err=True) else "another"
    if said != "yes":
        return judge(shut, after, None, said)
    typer.prompt("Shut it again, and press Enter", default="", show_default=False, prompt_suffix=" ", err=True)
    return judge(shut, after, _looks(daemon.ask("learn-look", **place)), said)


def _looks(told: object) -> list[Look]:
    from drivers.cabinets.evidence import Look

    return [Look(one.contact, one.door) for one in msgspec.convert(told, list[LookView])]


def decided(slot: WiredView, wiring: Wiring) -> bool:
    """All that this slot has."""
    return wiring.feedback is not None and (slot.door is None or wiring.door is not None)


def told(paper: Paper, learnt: Sequence[tuple[WiredView, Wiring]]) -> None:
    """What each slot has shown, and then what to write."""
    for slot, wiring in learnt:
        paper.write(paper.bold(f"slot {slot.slot}, lock {slot.lock}"))
        for words in wiring.why:
            paper.write(f"  {words}")
        if wiring.feedback is None:
            paper.write(f"  {paper.warn('feedback: undecided')}")
        if slot.door is not None and wiring.door is None:
            paper.write(f"  {paper.warn('door_open: undecided')}")
    for line in to_write(learnt):
        paper.write(line)


def to_write(learnt: Sequence[tuple[WiredView, Wiring]]) -> list[str]:
    """Lines for the config. A board whose locks differ has its word at each slot."""
    lines: list[str] = []
    boards: dict[str, set[str]] = {}
    for slot, wiring in learnt:
        if wiring.feedback is not None:
            boards.setdefault(slot.board, set()).add(wiring.feedback)
    for board, words in boards.items():
        if len(words) == 1:
            lines.append(f'[[board]] {board}: feedback = "{next(iter(words))}"')
    for slot, wiring in learnt:
        if wiring.feedback is not None and len(boards[slot.board]) > 1:
            lines.append(f'[[cabinet.slot]] {slot.slot}: feedback = "{wiring.feedback}"')
        if wiring.door is not None:
            lines.append(f'[[cabinet.slot]] {slot.slot}: door_open = "{wiring.door}{slot.door}"')
    return lines
