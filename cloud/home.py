"""Where does a headquarters keep what it needs, and how is it opened? One directory, made by `fieldtill-hq init`.

HOME/hq.toml     optional; docs/headquarters.md shows a whole one
HOME/keys/       the private keys, for the service's user alone
HOME/hq.vkeys    their public halves, for boxes to pin
HOME/hq.db       the SQLite database, where hq.toml names no other
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import sqlalchemy as sa

from cloud import accounts, hqlog, key_directory, keys, rotation, store
from cloud.calendar import zone_exists
from cloud.clock import Clock, SystemClock
from cloud.keys import HqKeys
from cloud.policy import Policy
from protocols.door import Fault, Refused, admit, toml_table

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[listen]`. Port 0 takes a free one and prints it. Without certificate and key it speaks plain HTTP."""

    host: str = "127.0.0.1"
    port: Port = 8443
    certificate: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")


class Mqtt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[mqtt]`: the broker for what must be quick and may be lost. tls: checked against ca_file or the system's."""

    host: str
    port: Port = 8883
    tls: bool = True
    ca_file: str | None = None
    username: str | None = None
    password_file: str | None = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. database: an SQLAlchemy URL; None: hq.db beside the file. zone: of headquarters' own dates."""

    zone: str = "Asia/Shanghai"
    database: str | None = None
    listen: Listen = Listen()
    mqtt: Mqtt | None = None
    policy: Policy = Policy()


class NoHome(Exception):
    """There is no headquarters in this directory, or one is there already."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Home:
    """A headquarters opened: its database brought up to date, its keys read."""

    path: Path
    config: Config
    engine: sa.Engine
    keys: HqKeys
    clock: Clock

    def refresh_vkeys(self) -> str:
        """Write hq.vkeys again from the keys as they are on the disk now; its text."""
        vkeys = keys.load(self.path / "keys").vkeys()
        part = self.path / "hq.vkeys.part"
        part.write_text(vkeys, encoding="utf-8")
        part.replace(self.path / "hq.vkeys")
        return vkeys


def create(path: Path) -> Home:
    """Make keys, database and the first records of a new headquarters. Raises NoHome where there is one."""
    if (path / "keys").exists():
        raise NoHome(f"{path} has keys already", "Use it as it is, or name another directory by --home.")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = load_config(path)
    made = keys.create(path / "keys")
    (path / "hq.vkeys").write_text(made.vkeys(), encoding="utf-8")
    if config.database is None:
        (path / "hq.db").touch(mode=0o600)  # it holds the fleet's credential key
    engine, clock = store.open_store(_database(path, config)), SystemClock()
    store.migrate(engine)
    with store.writing(engine) as connection:
        hqlog.create(connection, made, clock, config.zone)
        accounts.ensure_key(connection, clock)
        key_directory.publish(connection, made, clock, key_directory.own(made))
    return Home(path, config, engine, made, clock)


def open_home(path: Path) -> Home:
    """Raises NoHome, Refused for a faulty hq.toml, BadKeyFile."""
    if not (path / "keys").exists():
        raise NoHome(f"no headquarters in {path}", f"Make one: fieldtill-hq --home {path} init.")
    config = load_config(path)
    engine = store.open_store(_database(path, config))
    store.migrate(engine)
    rotation.recover(engine, path / "keys")
    return Home(path, config, engine, keys.load(path / "keys"), SystemClock())


def load_config(path: Path) -> Config:
    """hq.toml, or the defaults where there is none. Raises Refused with every fault."""
    file = path / "hq.toml"
    if not file.exists():
        return Config()
    data = toml_table(file.read_bytes(), source=str(file))
    config = admit(data, Config, source=str(file))
    if not zone_exists(config.zone):
        raise Refused(str(file), [Fault("zone", "the IANA name of a time zone", repr(config.zone))])
    return config


def _database(path: Path, config: Config) -> str:
    return config.database or f"sqlite:///{(path / 'hq.db').absolute()}"
