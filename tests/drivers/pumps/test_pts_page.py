"""`docs/pts.md` says what can be set, and with what defaults."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from drivers.pumps.pts_config import ControllerConfig, PtsOptions

PAGE = (Path(__file__).parents[3] / "docs" / "pts.md").read_text()
ROWS = {
    name: shown
    for names, shown in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([^|]*) \|", PAGE, re.MULTILINE)
    for name, shown in zip(re.findall(r"`(\w+)`", names), shown.split(", ") * 2, strict=False)
}
COMPUTED = {"port": "443 or 80", "ca_file": "required with `tls`", "tls_name": "`host`"}


@pytest.mark.parametrize("kind", [ControllerConfig, PtsOptions])
def test_every_key_is_on_the_page_with_its_default(kind: type[msgspec.Struct]) -> None:
    """No key is missing, and none has another default than it says."""
    for field in msgspec.structs.fields(kind):
        wanted = "required" if field.required else COMPUTED.get(field.name, _shown(field.default))
        assert ROWS[field.name].strip() == wanted, field.name


def test_no_key_is_on_the_page_that_there_is_not() -> None:
    """A key that was taken away is taken from the page."""
    known = {field.name for kind in (ControllerConfig, PtsOptions) for field in msgspec.structs.fields(kind)}
    assert set(ROWS) <= known


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
