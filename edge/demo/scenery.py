"""What a demo's site is made of: the files that its twins and its daemon are started with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SITE = "hz-0001"


@dataclass(frozen=True, slots=True)
class Scenery:
    """twins: (folder of the site) -> their file. site: (folder of the site, where each line of the twins is, port of
    headquarters) -> the daemon's config without its readers. readers: by id, the keys of each that say where it stands.
    """

    twins: Callable[[Path], str]
    site: Callable[[Path, Mapping[str, str], int], str]
    readers: Mapping[str, str]

    def readers_toml(self, fds: Mapping[str, int]) -> str:
        """Card readers as file descriptors that the daemon inherits; `fds` by reader."""
        return "".join(f'\n[[reader]]\nid = "{name}"\n{self.readers[name]}\nfd = {fd}\n' for name, fd in fds.items())


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with stored value: name, the number on the card, fen paid in beforehand, and whether this is home.

    At the home site an allowance waits; elsewhere the site asks headquarters, and gives back most of what is not spent.
    """

    name: str
    card: str
    paid_in_fen: int
    at_home: bool = True


def hq_toml(hq_port: int) -> str:
    """Names of the site and of headquarters. The demo asks more often than a real site needs to."""
    return f"""
site = "{SITE}"
data_dir = "data"
ballast_mb = 1

[hq]
url = "https://127.0.0.1:{hq_port}"
keys_file = "hq.vkeys"
ca_file = "../hq/tls/ca.pem"
poll_s = 2.0
timeout_s = 3.0
ask_timeout_s = 1.5
"""


def port_of(place: str) -> int:
    """Of `host:port`."""
    return int(place.rsplit(":", 1)[1])
