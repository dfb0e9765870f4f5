"""Devices to measure with: meters whose registers lie side by side, as the best of products have them."""

from __future__ import annotations

from pathlib import Path

REGISTERS = 125  # the most that one request may read


def write_profile(folder: Path, name: str = "bench-meter", points: int = REGISTERS - 1) -> Path:
    """A profile of a meter with so many points, none of them wider than it must be, and no hole between them."""
    rows = ['energy = { space = "holding", addr = 0, type = "u32", unit = "Wh", counter = "total" }']
    rows += [f'p{at} = {{ space = "holding", addr = {at}, unit = "V" }}' for at in range(2, points + 1)]
    path = folder / f"{name}.toml"
    path.write_text(
        f"""
[device]
id = "{name}"
kind = "meter"
maker = "Bench"
models = ["map"]
source = "made for bench/"
confidence = "high"

[link.rtu]
baud = 9600
unit = 1
[link.tcp]
unit = 1

[limits]
max_read = {REGISTERS}

[points]
{chr(10).join(rows)}

[gives]
register = ["energy"]
""",
        encoding="utf-8",
    )
    return path


def twins_toml(lines: dict[str, str], devices: dict[str, tuple[str, int, str]], profile: Path) -> str:
    """A site of twins. lines: id -> the keys of its table; devices: id -> (line, unit, further keys)."""
    text = "".join(f'[[line]]\nid = "{name}"\n{keys}\n' for name, keys in lines.items())
    text += '[[outlet]]\nid = "o"\n'
    for name, (line, unit, more) in devices.items():
        text += f'[[device]]\nid = "{name}"\nline = "{line}"\nunit = {unit}\n'
        text += f'profile = "{profile}"\noutlet = "o"\n{more}\n'
    return text
