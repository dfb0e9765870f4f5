"""What does the config of a gateway say that drives a simulated shop front?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from drivers.dlt645_meter import PROFILE_ID
from drivers.twins.cabinets.config import ShopConfig

Tables = Mapping[str, list[dict[str, Any]]]
"""By the name of the table, plain data."""

_NOT_MODBUS = ("xor", "kerong")


def gateway_tables(config: ShopConfig, ports: Mapping[str, str]) -> Tables:
    """`[[line]]`, `[[board]]`, `[[cabinet]]` and, for meters, `[[device]]`. ports: where each line serves."""
    modbus = {board.line for board in config.board if board.protocol not in _NOT_MODBUS}
    meters = {meter.line for meter in config.meter}
    lines: list[dict[str, Any]] = []
    for name, line in config.lines().items():
        about: dict[str, Any] = {"id": name, "baud": line.baud}
        if line.kind == "pty":
            about["path"] = line.link or ports[name]
        else:
            about |= {"host": line.host, "port": int(ports[name].rpartition(":")[2])}
            about["framing"] = "rtu" if name in modbus else "raw"
        lines.append(about | ({"parity": "E"} if name in meters else {}) | ({"echo": True} if line.echo else {}))
    return {
        "line": lines,
        "board": [said(board) for board in config.board],
        "cabinet": [said(cabinet) for cabinet in config.cabinet],
        "device": [{"id": m.id, "line": m.line, "profile": PROFILE_ID, "address": m.address} for m in config.meter],
    }


def said(config: msgspec.Struct) -> dict[str, Any]:
    """What of it is not usual, as plain data; a TOML file has no null."""
    plain: dict[str, Any] = {}
    for field in msgspec.structs.fields(config):
        value = getattr(config, field.name)
        if value is None or (not field.required and value == field.default):
            continue
        plain[field.encode_name] = _plain(value)
    return plain


def toml_of(tables: Tables) -> str:
    """The same as a file: one `[[name]]` each, everything inside inline."""
    parts = [
        "\n".join((f"[[{name}]]", *(f"{key} = {_value(value)}" for key, value in table.items()), ""))
        for name, found in tables.items()
        for table in found
    ]
    return "\n".join(parts)


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return said(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_value(one)}' for key, one in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)  # strings, numbers and truths are written alike
