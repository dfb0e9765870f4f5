"""What does the owner of a receipt's link see? The session while it runs, then the bill and its proof to take along."""

from __future__ import annotations

from html import escape

from edge.evidence import slip
from edge.evidence.gather import Gathered
from edge.page import frame
from edge.page.words import word
from edge.panel import views
from edge.panel.paper import UNKNOWN
from edge.site import Site
from edge.till.progress import Phase, Progress
from edge.till.state import OpenSession
from protocols.trade.quantities import kwh, yuan

_PHASES = {
    Phase.STARTING: "starting",
    Phase.CHARGING: "charging",
    Phase.STOPPING: "stopping",
    Phase.IDLE: "idle",
}


def running(site: Site, session: OpenSession, progress: Progress, language: str) -> str:
    """A session that goes on. The page's body; it brings itself up to date."""
    seen = views.session(site, session, progress)
    pairs = [
        (word("state", language), word(_PHASES[progress.phase], language)),
        (word("power", language), UNKNOWN if seen.power_w is None else f"{kwh(seen.power_w)} kW"),
        (word("held", language), f"¥{yuan(seen.hold_fen)}"),
        (slip.label("session", language), seen.id),
    ]
    return (
        f'<div id="live"><div class="card"><div class="soft">{escape(session.opened.connector)}</div>'
        f'<div class="big">{kwh(seen.energy_wh)} kWh · ¥{yuan(seen.running_fen)}</div></div>'
        f'<div class="card">{frame.rows(pairs)}</div></div>'
        f'<p class="soft">{word("unplug", language)} {word("keep-link", language)}</p>'
    )


def settled(gathered: Gathered, save: str, language: str) -> str:
    """The bill. save: the link to the receipt file. The page's body."""
    story = gathered.story
    lines = "".join(
        f'<tr><th>{escape(item)}<span class="soft">{escape(quantity)} × {escape(price)}</span></th>'
        f"<td>{escape(amount)}</td></tr>"
        for item, quantity, price, amount in slip.rows(story, gathered.pricing, language)
    )
    totals = list(slip.totals(story, language))
    sums = "".join(
        f'<tr class="{"sum" if at == 0 else ""}"><th>{escape(name)}</th><td>{escape(value)}</td></tr>'
        for at, (name, value) in enumerate(totals)
    )
    state = slip.label("final" if gathered.final else "provisional", language)
    big = f'<div class="card"><div class="big">{escape(totals[0][1])}</div>' if totals else '<div class="card">'
    return (
        f'{big}<div class="soft">{escape(state)}</div></div>'
        f'<div class="card">{frame.rows(list(slip.facts(story, language, gathered.pricing)))}</div>'
        + (f'<div class="card"><table>{lines}{sums}</table></div>' if lines else "")
        + f'<a class="button" href="{escape(save)}" download>{word("save", language)}</a>'
        f'<p class="soft">{word("save-hint", language)}</p>'
    )
