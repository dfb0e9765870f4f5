"""`fieldtill-hq keys`: which keys headquarters signs with, which ever counted, and how one is exchanged."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cloud import key_directory, rotation
from cloud.acts import Denied
from cloud.cli.shop import shop_of

keys_app = typer.Typer(invoke_without_command=True, help="Public keys: those that boxes pin, and the directory.")

COLUMNS = ["role", "subject", "state", "published", "retired", "name"]


class Role(StrEnum):
    """What a key of headquarters is for."""

    GRANT = key_directory.GRANT
    COSIGN = key_directory.COSIGN
    HQ_LOG = key_directory.HQ_LOG


class Believed(StrEnum):
    """The keys that boxes believe."""

    GRANT = key_directory.GRANT
    COSIGN = key_directory.COSIGN


@keys_app.callback(epilog="Example: fieldtill-hq keys > hq.vkeys")
def keys(
    ctx: typer.Context,
    all_: Annotated[
        bool, typer.Option("--all", help="Every key that ever counted: boxes', logs', headquarters'.")
    ] = False,
) -> None:
    """Print the public keys that boxes pin; with --all, the whole directory."""
    if ctx.invoked_subcommand is not None:
        return
    shop = shop_of(ctx)
    if not all_:
        vkeys = shop.open().keys.vkeys()
        shop.say(vkeys.splitlines(), vkeys.rstrip())
        return
    with shop.reading() as connection:
        if shop.json:
            shop.say(key_directory.as_json(connection), "")
            return
        found = key_directory.entries(connection)
    rows = [
        {
            "role": entry.key.role,
            "subject": entry.key.subject,
            "state": entry.state,
            "published": entry.published,
            "retired": entry.retired,
            "name": entry.name,
        }
        for entry in found
    ]
    shop.list(rows, COLUMNS)


@keys_app.command(epilog="Example: fieldtill-hq keys rotate cosign")
def rotate(ctx: typer.Context, role: Role) -> None:
    """Sign with a new key from now on. Boxes follow by themselves; a new box pins what `keys` prints from now on."""
    shop = shop_of(ctx)
    home = shop.open()
    made = rotation.rotate(home.engine, home.path / "keys", home.clock, role)
    vkeys = home.refresh_vkeys()
    shop.say(
        {"role": role, "public": made.public.hex()}, f"{role}: a new key is in use; boxes pin now\n{vkeys.rstrip()}"
    )


@keys_app.command(epilog="Example: fieldtill-hq keys withdraw grant")
def withdraw(ctx: typer.Context, role: Believed) -> None:
    """Have boxes believe the newest key alone: after a rotation, once every site has been heard since; or a theft."""
    shop = shop_of(ctx)
    home = shop.open()
    count = rotation.withdraw(home.engine, home.path / "keys", home.clock, role)
    shop.say({"role": role, "withdrawn": count}, f"{role}: {count} older withdrawn")


@keys_app.command(epilog="Example: fieldtill-hq keys proof 4 > key-4.tlog-proof")
def proof(ctx: typer.Context, seq: Annotated[int, typer.Argument(min=0, help="`published` of an entry.")]) -> None:
    """Prove that a record, such as an entry's, is in headquarters' log: a C2SP tlog-proof; --json adds the record."""
    shop = shop_of(ctx)
    with shop.reading() as connection:
        found = key_directory.proof(connection, seq)
    if found is None:
        raise Denied(f"headquarters' log has no record {seq}", "`fieldtill-hq keys --all` lists those of keys.")
    record, text = found
    shop.say({"seq": seq, "record": record.hex(), "proof": text.decode()}, text.decode().rstrip("\n"))
