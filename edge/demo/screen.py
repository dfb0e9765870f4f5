"""What the demo shows: one line per event, and below them, on a terminal, a live table of the site."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from edge.demo.books import Sheet, agree
from protocols.trade.quantities import kwh, litres, yuan, yuan_e3

FULL_PERMILLE = 900

PHASES = {
    "starting": "cyan",
    "charging": "green",
    "stopping": "yellow",
    "idle": "magenta",
    "ordered": "cyan",
    "authorised": "cyan",
    "delivering": "green",
    "ended": "yellow",
    "paying": "magenta",
}


class Screen:
    """Events scroll, the table stays. Off a terminal the table is left out."""

    def __init__(self, names: dict[str, str]) -> None:
        """names: of people, by account."""
        self.names = names
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._began_s = asyncio.get_running_loop().time()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, text: str, style: str = "") -> None:
        """One event, with the seconds since the beginning."""
        elapsed_s = asyncio.get_running_loop().time() - self._began_s
        self._console.print(f"[dim]{elapsed_s:5.1f} s[/]  [{style or 'default'}]{text}[/]", soft_wrap=True)

    def show(self, status: dict[str, Any] | None, *, link_up: bool) -> None:
        """The site as it is now; None: the daemon is not there."""
        if self._console.is_terminal:
            self._live.update(self._table(status, link_up=link_up), refresh=True)

    def print(self, what: Any = "") -> None:
        self._console.print(what, soft_wrap=True)

    def _table(self, status: dict[str, Any] | None, *, link_up: bool) -> Table:
        link = "[green]up[/]" if link_up else "[red]cut[/]"
        if status is None:
            return Table(title=f"link {link} · [red]the daemon is dead[/]", title_justify="left", width=96)
        journal, value = status["journal"] or {"records": 0, "cosigned": 0}, status["value"]
        money = (
            f" · left {yuan(value['rights_fen'])}, held {yuan(value['held_fen'])}, spent {yuan(value['used_fen'])}"
            if value
            else ""
        )
        backlog = journal["records"] - journal["cosigned"]
        title = f"{status['site']} · link {link} · {journal['records']} records, {backlog} not acknowledged{money}"
        table = Table(title=title, title_justify="left", width=96)
        if status["connectors"]:
            self._connectors(table, status["connectors"])
        elif "cabinets" in status:
            self._shop(table, status["cabinets"], status["ports"])
        else:
            self._pumps(table, status["pumps"])
        return table

    def _connectors(self, table: Table, connectors: list[dict[str, Any]]) -> None:
        for name in ("place", "pilot", "register Wh", "customer", "session"):
            table.add_column(name)
        for name in ("kWh", "¥ now", "¥ held"):
            table.add_column(name, justify="right")
        for connector in connectors:
            table.add_row(*self._row(connector))

    def _pumps(self, table: Table, pumps: list[dict[str, Any]]) -> None:
        for name in ("pump", "protocol", "state", "¥ a litre", "customer", "filling"):
            table.add_column(name)
        for name in ("L", "¥ now", "¥ held"):
            table.add_column(name, justify="right")
        for pump in pumps:
            table.add_row(*self._pump_row(pump))

    def _shop(self, table: Table, cabinets: list[dict[str, Any]], ports: list[dict[str, Any]]) -> None:
        for name in ("place", "slots", "customer", "session"):
            table.add_column(name)
        for name in ("slot", "kWh", "held"):
            table.add_column(name, justify="right")
        for cabinet in cabinets:
            swap, slots = cabinet["swap"], "".join(_slot(slot) for slot in cabinet["slots"])
            customer = "" if swap is None else self.names.get(swap["account"], swap["account"])
            told = ["", "", "", ""] if swap is None else [swap["step"], str(swap["slot"]), "", swap["holds"]]
            table.add_row(cabinet["id"], slots, customer, *told)
        for port in ports:
            session = port["session"]
            if session is not None:
                name = self.names.get(session["account"], session["account"])
                energy = "" if session["energy_wh"] is None else kwh(session["energy_wh"])
                held = f"¥{yuan(session['hold_fen'])}"
                table.add_row(
                    port["place"], port["state"] or "[red]silent[/]", name, session["phase"], "", energy, held
                )

    def _row(self, connector: dict[str, Any]) -> list[str]:
        head = [connector["id"], connector["iec"] or "-", str(connector["register_wh"] or "-")]
        session = connector["session"]
        if session is None:
            return [*head, "", "", "", "", ""]
        color = PHASES.get(session["phase"], "default")
        phase = f"[{color}]{session['reason'] or session['phase']}[/]"
        name = self.names.get(session["account"], session["account"])
        return [*head, name, phase, kwh(session["energy_wh"]), yuan(session["running_fen"]), yuan(session["hold_fen"])]

    def _pump_row(self, pump: dict[str, Any]) -> list[str]:
        shown = [yuan_e3(one["shown_e3"]) for one in pump["nozzles"] if one["shown_e3"] is not None]
        head = [str(pump["number"]), pump["protocol"], pump["state"] or "[red]silent[/]", " ".join(shown)]
        filling = pump["filling"]
        if filling is None:
            return [*head, "", "", "", "", ""]
        color = PHASES.get(filling["phase"], "default")
        phase = f"[{color}]{filling['phase']}[/]"
        name = self.names.get(filling["account"], filling["account"])
        now = yuan(filling["amount_fen"]) if filling["amount_fen"] else ""  # some pumps tell the volume alone
        return [*head, name, phase, litres(filling["volume_ml"]), now, yuan(filling["hold_fen"])]


def _slot(slot: dict[str, Any]) -> str:
    """One character: a full pack, one that charges, an empty slot, an open door."""
    if slot["door"] == "open":
        return "[yellow]/[/]"
    if slot["holds"] != "pack":
        return "[dim]·[/]" if slot["holds"] == "empty" else "[red]?[/]"
    return "[green]■[/]" if (slot["soc_permille"] or 0) >= FULL_PERMILLE else "[cyan]▄[/]"


def sheet_table(sheet: Sheet) -> Table:
    """Both sides of each thing, and whether they agree."""
    table = Table(title=sheet.title, title_justify="left")
    table.add_column("")
    for name in sheet.heads:
        table.add_column(name, justify="right")
    table.add_column("")
    for name, one, other in sheet.rows:
        table.add_row(name, one, other, "[green]equal[/]" if agree(one, other) else "[red]DIFFERS[/]")
    return table


def books_table(rows: list[tuple[str, str, str, bool]]) -> Table:
    """The books side by side: what, at the site, at headquarters, and whether they agree."""
    table = Table(title="The books, in yuan", title_justify="left")
    table.add_column("")
    table.add_column("at the site", justify="right")
    table.add_column("at headquarters", justify="right")
    table.add_column("")
    for name, site, hq, equal in rows:
        table.add_row(name, site, hq, "[green]equal[/]" if equal else "[red]DIFFERS[/]")
    return table


def nozzles_table(rows: list[tuple[str | bool, ...]]) -> Table:
    """Each nozzle's litres: by the pump itself, by headquarters' books, and whether they agree."""
    table = Table(title="The nozzles, in litres", title_justify="left")
    table.add_column("")
    for name in ("ran", "told", "sold", "nobody's", "rounded", "missing"):
        table.add_column(name, justify="right")
    table.add_column("")
    for *cells, equal in rows:
        table.add_row(*(str(cell) for cell in cells), "[green]equal[/]" if equal else "[red]DIFFERS[/]")
    return table
