"""`[[ykc]]`: what a site's config may say of piles, and what is built from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.port_board import PortBoard
from drivers.ports import ykc_config
from edge.config import doubts, load
from edge.panel.verbs import _carriers
from edge.premises import build
from protocols.door import Refused
from protocols.fieldbus import ykc

PLATFORM = '[[ykc]]\nid = "{id}"\nhost = "192.168.8.1"\nport = {port}\n'
PILE = '[[ykc.pile]]\nid = "{id}"\nnumber = {number}\ncode = "{code}"\nguns = 2\n'
ONE, TWO = "32010200000001", "32010200000002"


def platform(name: str = "piles", port: int = 8768, more: str = "") -> str:
    return PLATFORM.format(id=name, port=port) + more


def pile(number: int = 1, code: str = ONE, name: str | None = None, more: str = "") -> str:
    return PILE.format(id=name or f"pile-{number}", number=number, code=code) + more


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(f'site = "s"\ndata_dir = "data"\n{text}')
    return path


def test_piles_are_built(tmp_path: Path) -> None:
    """As port boards beside the others, on a listener of their own."""
    config = load(write(tmp_path, platform(more='peers = ["192.168.8.0/24"]\n') + pile() + pile(2, TWO)))
    premises = build(config, lambda: 1_795_233_600_000)
    assert list(premises.port_boards) == ["pile-1", "pile-2"]
    assert list(premises.listeners) == ["piles"]
    assert all(isinstance(one, PortBoard) for one in premises.port_boards.values())
    assert premises.port_boards["pile-2"].traits.ports == (1, 2)
    assert doubts(config) == []


def test_certificates_stand_beside_the_config(tmp_path: Path) -> None:
    """Relative paths start at its folder; without anything that keeps strangers out, a person is told."""
    tls = 'cert_file = "a.pem"\nkey_file = "a.key"\n'
    config = load(write(tmp_path, platform(more=tls) + pile()))
    assert config.ykc[0].cert_file == str(tmp_path / "a.pem")
    assert config.ykc[0].key_file == str(tmp_path / "a.key")
    (doubt,) = doubts(config)
    assert "may pass for a pile" in doubt
    with pytest.raises(Refused, match=r"ykc\[0\] cert_file"):
        build(config)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (platform(), "ykc[0].pile: expected a value, got nothing"),
        (platform(more="pile = []\n"), "at least one `[[ykc.pile]]`"),
        (platform() + pile() + pile(2), "each pile has a `code` of its own"),
        (platform() + pile() + platform("more", 8769) + pile(2), f"{ONE}, which `pile-1` has already"),
        (platform() + pile() + pile(1, TWO, "other"), "port board number: expected each id once, got `1` 2 times"),
        (platform() + pile() + pile(2, TWO, "pile-1"), "device: expected each id once, got `pile-1` 2 times"),
        (platform() + pile() + platform("more") + pile(2, TWO), "192.168.8.1:8768, which `piles` has already"),
        (platform() + pile() + platform(port=1) + pile(2, TWO), "line: expected each id once, got `piles` 2 times"),
        (platform() + pile(code="123"), "expected 14 digits"),
        (platform() + pile(more='peer = "pile.local"\n'), "`peer` is an IP address"),
        (platform(more='cert_file = "a.pem"\n') + pile(), "`cert_file` and `key_file` go together"),
        (platform(more='ca_file = "a.pem"\n') + pile(), "`ca_file` needs"),
        (platform().replace("192.168.8.1", "8.8.8.8") + pile(), "own network"),
        (platform() + pile(more="guns_max = 3\n"), "an unknown key"),
    ],
)
def test_mistakes(text: str, words: str, tmp_path: Path) -> None:
    """Each with its place."""
    with pytest.raises(Refused) as refused:
        load(write(tmp_path, text))
    assert words in str(refused.value)


def test_the_times_are_the_documents() -> None:
    """They are written out in the config, which every site loads."""
    default = ykc_config.PileConfig(id="p", number=1, code=ONE)
    assert default.heartbeat_s == ykc.HEARTBEAT_S
    assert default.shown_s == ykc.START_SHOWN_S
    assert ykc.HEARTBEATS_MISSED_MAX < ykc_config.HEARTBEATS < ykc.HEARTBEATS_MISSED_MAX + 1


def test_panel_knows_where_a_pile_hangs(tmp_path: Path) -> None:
    """On its platform's port."""

    class Daemon:
        config = load(write(tmp_path, platform() + pile()))

    assert _carriers(Daemon()) == {"pile-1": "piles"}  # type: ignore[arg-type]  # it asks for the config alone
