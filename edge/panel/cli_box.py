"""What can a technician do at the box without a daemon? Set it up, check it, run it, try it out."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.panel.cli_shared import AsJson, Config, Exit, say
from edge.panel.client import Failed, find_config
from edge.panel.messages import Trouble
from edge.panel.paper import Paper, counted

if TYPE_CHECKING:
    from edge.config import Config as SiteConfig
    from protocols.door import Refused

app = typer.Typer()


@app.command(epilog="Example: fieldtill run --config /etc/fieldtill/config.toml")
def run(config: Config = None) -> None:
    """Run the daemon in this terminal, until Ctrl-C."""
    # It becomes this very process, so that signals and exit codes are its own.
    os.execv(sys.executable, [sys.executable, "-m", "edge", "--config", str(find_config(config))])  # noqa: S606


@app.command(epilog="Example: fieldtill check --config config.toml")
def check(config: Config = None, as_json: AsJson = False) -> None:
    """Would the daemon start? Reads config, profiles, keys and journal as the daemon does, and tells every fault."""
    from edge.panel.checkup import check_up

    path = find_config(config)
    findings = check_up(path)
    bad = [finding for finding in findings if finding.faults]

    def text(paper: Paper) -> None:
        for one in findings:
            word = paper.bad(counted(len(one.faults), "fault")) if one.faults else paper.good("ok")
            paper.write(f"{one.what:8} {word}  {one.detail}".rstrip())
        for one in findings:
            if one.faults or one.doubts:
                paper.write()
            for fault in one.faults:
                paper.write(f"{paper.bad('!')} {fault}")
            for doubt in one.doubts:
                paper.write(f"{paper.warn('?')} {doubt}")

    said = [one.plain() for one in findings]
    say(as_json, {"config": str(path), "ok": not bad, "findings": said}, text)
    if bad:
        damaged = any(one.damaged for one in bad)
        raise typer.Exit(Exit.DAMAGED if damaged else Exit.BAD_INPUT)


@app.command(epilog="Example: fieldtill setup --config /etc/fieldtill/config.toml")
def setup(config: Config = None, as_json: AsJson = False) -> None:
    """Make this box's key, once, and print its fingerprint for headquarters. Doing it again changes nothing."""
    from edge.keys import KeyRing, KeyUnusable, fingerprint

    site = load_config(find_config(config))
    try:
        mark = fingerprint(KeyRing(site.keys_dir).make_device())
    except KeyUnusable as error:
        raise Failed(Trouble("key", error.what, error.remedy)) from error

    def text(paper: Paper) -> None:
        paper.pairs([("site", site.site), ("fingerprint", paper.bold(mark)), ("keys", str(site.keys_dir))])
        paper.write()
        paper.write("Next, a person at headquarters admits this box:")
        paper.write(f"  fieldtill-hq site add {site.site} --device {mark}")
        paper.write(f"Put what `fieldtill-hq keys` prints there into {_keys_file(site)} here, then start the daemon:")
        paper.write("  systemctl start fieldtill")

    say(as_json, {"site": site.site, "fingerprint": mark, "keys_dir": str(site.keys_dir)}, text)


@app.command(epilog="Example: fieldtill keys")
def keys(config: Config = None, as_json: AsJson = False) -> None:
    """Which keys this box has, and what of headquarters it trusts. Prints public parts alone."""
    from edge.panel.key_view import key_rows

    rows = key_rows(load_config(find_config(config)))
    say(as_json, rows, lambda paper: paper.table(
        ("KEY", "OF", "PUBLIC PART"), [(one["key"], one["of"], one["public"]) for one in rows]))  # fmt: skip


@app.command(epilog="Examples: fieldtill twin keba-p30 --tcp 1502; "
             "fieldtill twin eastron-sdm630 --pty /tmp/ttyMeter --unit 3 --fault crc:5; "
             "fieldtill twin dart --pty /tmp/ttyPump --nozzles 92=7.85,95=8.39,0=7.51 --customer random")  # fmt: skip
def twin(
    profile: Annotated[str, typer.Argument(help="A profile, a path, or a pump's, board's or pile's protocol.")],
    tcp: Annotated[int | None, typer.Option(help="Port, 0: any; dny-tcp and ykc call it.", min=0, max=65535)] = None,
    pty: Annotated[Path | None, typer.Option(help="Serve on a pty, and link it here.")] = None,
    unit: Annotated[int | None, typer.Option(help="Unit id or address; else the usual one.", min=0, max=255)] = None,
    baud: Annotated[int | None, typer.Option(help="Pace of the pty; else the profile's.")] = None,
    fault: Annotated[list[str] | None, typer.Option(help="KIND[:COUNT[:AMOUNT]]; may be given again.")] = None,
    register_wh: Annotated[int, typer.Option(help="What its counter shows at first.", min=0)] = 0,
    nozzles: Annotated[str, typer.Option(help="Of a pump: GRADE[=YUAN],..")] = "92,95,0",
    customer: Annotated[list[str] | None, typer.Option(help="Of a pump: random, fills:NOZZLE:ML, ..")] = None,
    speed: Annotated[int, typer.Option(help="Of pumps and ports: how much faster time runs.", min=1, max=1000)] = 1,
    seed: Annotated[int, typer.Option(help="Of random customers and noise.")] = 0,
) -> None:
    """Simulate one device on a real pty or TCP port, until Ctrl-C: to try a site, or a profile of your own."""
    import asyncio

    from drivers.loop import new_event_loop
    from drivers.twins import PROTOCOLS, serve_one, serve_pump
    from drivers.twins.ports.serve import PORT_BOARDS, serve_port_board
    from drivers.twins.ports.serve_pile import PILE, serve_pile
    from protocols.door import Refused

    link = None if pty is None else str(pty)
    tell = partial(print, flush=True)
    if profile in PORT_BOARDS:
        serving = serve_port_board(
            profile, tcp_port=tcp, pty_link=link, virtual_id=unit, baud=baud, faults=fault or (), speed=speed,
            seed=seed, say=tell,
        )  # fmt: skip
    elif profile == PILE:
        serving = serve_pile(tcp_port=tcp, faults=fault or (), speed=speed, seed=seed, say=tell)
    elif profile in PROTOCOLS:
        serving = serve_pump(
            profile, tcp_port=tcp, pty_link=link, address=unit, baud=baud, nozzles=nozzles, customers=customer or (),
            faults=fault or (), speed=speed, seed=seed, say=tell,
        )  # fmt: skip
    else:
        serving = serve_one(
            profile, tcp_port=tcp, pty_link=link, unit=unit, baud=baud, faults=fault or (),
            register_start_wh=register_wh, say=tell,
        )  # fmt: skip
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serving)
    except KeyboardInterrupt:
        raise typer.Exit(Exit.DONE) from None
    except FileNotFoundError:
        raise Failed(_no_profile(profile)) from None
    except Refused as error:
        raise _refused(error) from error
    except (OSError, ValueError) as error:
        raise Failed(Trouble("bad-request", f"the twin cannot be served: {error}")) from error


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    epilog="Examples: fieldtill demo; fieldtill demo forecourt; fieldtill demo shopfront",
)
def demo(ctx: typer.Context) -> None:
    """A whole site in a minute on this machine: it sells with the link up and down, and the books agree."""
    from edge.demo.__main__ import main

    raise typer.Exit(main(ctx.args))


def load_config(path: Path) -> SiteConfig:
    """The site's config, or every fault in it as a refusal. Raises Failed."""
    from edge.config import load
    from protocols.door import Refused

    try:
        return load(path)
    except Refused as error:
        raise _refused(error) from error


def _refused(error: Refused) -> Failed:
    return Failed(Trouble("bad-config", str(error)))


def _keys_file(site: SiteConfig) -> str:
    return site.hq.keys_file if site.hq is not None else "the file that [hq] keys_file names"


def _no_profile(name: str) -> Trouble:
    from difflib import get_close_matches

    from drivers.registry import profile_ids

    near = get_close_matches(name, profile_ids(), n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return Trouble("bad-request", f"no profile {name}", f"{meant}It is one of {', '.join(profile_ids())}, or a path.")
