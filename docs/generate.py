"""Write the pages that follow from files: `python -m docs.generate`; `--check` tells whether they are up to date."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from drivers.profile import KeepAlive, Profile, Serial, Tcp
from drivers.profile_plan import plan
from drivers.profile_state import render
from drivers.registry import DeviceConfig, profile_ids, profile_of
from edge.evidence.verifier_page import verifier_page
from edge.till.swap import cases as fault_cases

FOLDER = Path(__file__).parent
HEAD = "<!-- Written by `python -m docs.generate` from drivers/profiles/*.toml. Edit those, then run it. -->\n"
CABINETS_HEAD = (
    "<!-- Written by `python -m docs.generate` from edge/till/swap/cases.py and docs/cabinets_rules.txt. "
    "Edit those, then run it. -->\n"
)


def chargers() -> str:
    """docs/chargers.md"""
    profiles = _profiles("charger")
    rows = [
        (
            _link_to(profile),
            _links(profile),
            _current(profile),
            _stop(profile),
            _keep_alive(profile.keepalive),
            "yes" if profile.gives.register else "no",
            str(_requests(profile)),
            profile.device.confidence,
        )
        for profile in profiles
    ]
    head = ("product", "link", "limit", "stop", "keep-alive", "own counter", "reads per poll", "confidence")
    intro = (
        "# Chargers\n\n"
        "Each of these is one file in `drivers/profiles/`; [profiles.md](profiles.md) tells how to write another.\n"
        "A charger's own counter is a cross-check. Sessions are billed from a meter beside it "
        "([meters.md](meters.md)).\n"
        "*Keep-alive* says what happens when nobody speaks to the charger any more.\n"
    )
    return _page(intro, _table(head, rows), profiles)


def meters() -> str:
    """docs/meters.md"""
    profiles = _profiles("meter")
    rows = [
        (
            _link_to(profile),
            _links(profile),
            _register(profile),
            _step(profile),
            "only MID" if all(profile.points[name].billing_grade for name in profile.gives.register) else "no",
            str(_requests(profile)),
            profile.device.confidence,
        )
        for profile in profiles
    ]
    head = ("product", "link", "import register", "step", "for billing", "reads per poll", "confidence")
    intro = (
        "# Meters\n\n"
        "Each of these is one file in `drivers/profiles/`; [profiles.md](profiles.md) tells how to write another.\n"
        "*Step* is the least that the register can show. *Only MID*: those variants that carry the approval mark.\n"
    )
    return _page(intro, _table(head, rows), profiles)


def gauges() -> str:
    """docs/gauges.md"""
    profiles = _profiles("gauge")
    rows = [
        (
            _link_to(profile),
            _links(profile),
            ", ".join(key for key in ("volume", "level", "water", "temperature") if getattr(profile.gives, key)),
            str(_requests(profile)),
            profile.device.confidence,
        )
        for profile in profiles
    ]
    head = ("product", "link", "tells", "reads per poll", "confidence")
    intro = (
        "# Tank gauges\n\n"
        "Each of these is one file in `drivers/profiles/`; [profiles.md](profiles.md) tells how to write another.\n"
        "A gauge that tells a level alone needs the tank's strapping table ([wet-stock.md](wet-stock.md)).\n"
    )
    return _page(intro, _table(head, rows), profiles)


def cabinets() -> str:
    """docs/cabinets.md"""
    head = ("case", "what goes wrong", "how it is noticed", "what is done", "where", "shown by")
    parts = [CABINETS_HEAD, (Path(__file__).parent / "cabinets_rules.txt").read_text(encoding="utf-8")]
    for group in fault_cases.GROUPS:
        rows = [(one.code, one.fault, one.seen, one.done, _code(one.where), _test(one.test)) for one in group.cases]
        parts.append(f"### {group.name}\n\n{_table(head, rows)}")
    others = "".join(f"- {code}: {whose}\n" for code, whose in sorted(fault_cases.ELSEWHERE.items()))
    return "\n".join([*parts, f"### Whose the others are\n\n{others}"])


PAGES: Mapping[str, Callable[[], str]] = {
    "chargers.md": chargers,
    "meters.md": meters,
    "gauges.md": gauges,
    "cabinets.md": cabinets,
    "verify.html": verifier_page,
}


def main(arguments: Sequence[str]) -> int:
    """Write every page, or with `--check` only compare. Gives 1 when a page is out of date, 2 for another argument."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: python -m docs.generate [--check]", file=sys.stderr)
        return 2
    old = [name for name, write in PAGES.items() if _read(FOLDER / name) != write()]
    for name in old:
        if arguments:
            print(f"docs/{name} is out of date; run `python -m docs.generate`", file=sys.stderr)
        else:
            (FOLDER / name).write_text(PAGES[name](), encoding="utf-8")
            print(f"docs/{name} written")
    return 1 if arguments and old else 0


def _profiles(kind: str) -> list[Profile]:
    every = [profile_of(DeviceConfig(id=name, line="-", profile=name)) for name in profile_ids()]
    return [profile for profile in every if profile.device.kind == kind]


def _page(intro: str, table: str, profiles: Iterable[Profile]) -> str:
    return f"{HEAD}{intro}\n{table}\n" + "\n".join(_section(profile) for profile in profiles)


def _section(profile: Profile) -> str:
    about = profile.device
    captured = sum(vector.captured for vector in profile.vectors)
    proof = f"{len(profile.vectors)} test vectors" + (f", {captured} of them captured in the field" if captured else "")
    notes = "\n".join(f"- {note}" for note in about.notes)
    parts = [f"## {about.id}", f"{about.maker}: {', '.join(about.models)}.", notes, f"Source: {about.source}. {proof}."]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _code(where: str) -> str:
    return f"`{where.removeprefix('edge.')}`"


def _test(name: str) -> str:
    path, _, function = name.partition("::")
    return f"[`{function}`](../{path})"


def _link_to(profile: Profile) -> str:
    return f"[{profile.device.maker} {profile.device.models[0]}](#{profile.id})"


def _links(profile: Profile) -> str:
    link = profile.link
    kinds: list[tuple[str, Serial | Tcp | None]] = [
        ("RTU", link.rtu), ("ASCII", link.ascii), ("TCP", link.tcp), ("RTU over TCP", link.rtu_over_tcp)
    ]  # fmt: skip
    return "; ".join(f"{name} {_settings(one)}" for name, one in kinds if one is not None)


def _settings(link: Serial | Tcp) -> str:
    unit = "any unit" if link.unit is None else f"unit {link.unit}"
    if isinstance(link, Tcp):
        return f"port {link.port}, {unit}"
    return f"{link.baud} 8{link.parity}{link.stop}, {unit}"


def _current(profile: Profile) -> str:
    command = profile.command
    assert command is not None, "a charger has commands"
    unit = "A" if command.dimension == "current" else "W"
    return f"{command.min} to {command.max} {unit} by {command.step}"


def _stop(profile: Profile) -> str:
    assert profile.command is not None, "a charger has commands"
    return ", ".join(f"`{write.point}` = {write.value}" for write in profile.command.stop)


def _keep_alive(keepalive: KeepAlive | None) -> str:
    if keepalive is None:
        return "knows none"
    said = {
        "read": "any read",
        "write": f"`{keepalive.point}` every {keepalive.period_s} s",
        "setpoint": f"the limit every {keepalive.period_s} s",
        "timeout": f"`{keepalive.point}` every {keepalive.period_s} s",
    }[keepalive.kind]
    after = "after a time set at it" if keepalive.deadline_s is None else f"after {keepalive.deadline_s} s"
    then = {
        "stop": f"it stops {after}",
        "fault": f"it goes into fault {after}",
        "reduce": f"it lowers the current {after}",
        "nothing": "what follows is set at the charger",
    }
    return f"{said}; {then[keepalive.then]}"


def _register(profile: Profile) -> str:
    names = profile.gives.register
    return ", ".join(f"{profile.points[n].space} {profile.wire_address(profile.points[n]):#06x}" for n in names)


def _step(profile: Profile) -> str:
    point = profile.points[profile.gives.register[0]]
    return point.resolution or f"{render(point.quantum.amount)} {point.quantum.unit}"


def _requests(profile: Profile) -> int:
    """Requests that bring everything that changes fast."""
    return len(plan(profile, [n for n, p in profile.points.items() if p.polled and p.poll == "fast"]).reads)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
