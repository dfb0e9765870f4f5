"""The port boards of a config: the example's are whole, and what cannot work is told at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from drivers.ports import dny_words
from drivers.ports.config import Protocol
from drivers.ports.dny_options import DnyOptions, FloatingOptions, LimitsOptions, LoadOptions
from drivers.ports.dongjun import DongjunOptions
from drivers.ports.registry import DRIVERS
from edge.config import Config, doubts, load
from edge.premises import build
from protocols.door import Refused
from protocols.fieldbus.dny_codes import StopReason

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "ports.md").read_text()
HEAD = 'site = "hz-1"\ndata_dir = "data"\n'
LISTENER = '[[listener]]\nid = "yard"\nhost = "192.168.8.1"\nport = 7054\npeers = ["192.168.8.0/24"]\n'
LINE = '[[line]]\nid = "rs485"\npath = "/dev/ttyUSB0"\n'


def board(number: int = 1, protocol: str = "dny-tcp", on: str = "yard", **more: str) -> str:
    place = "listener" if protocol == "dny-tcp" else "line"
    keys = {"device": str(100 + number)} if protocol != "dongjun" else {}
    keys |= {"address": str(number)} if protocol == "dny" else {}
    keys |= {"ports": "10", **more}
    text = f'[[port_board]]\nid = "b{number}"\nnumber = {number}\nprotocol = "{protocol}"\n{place} = "{on}"\n'
    return text + "".join(f"{key} = {value}\n" for key, value in keys.items() if value)


def read(tmp_path: Path, text: str) -> Config:
    (tmp_path / "config.toml").write_text(HEAD + text)
    return load(tmp_path / "config.toml")


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(Refused) as refused:
        build(read(tmp_path, text))
    return [str(fault) for fault in refused.value.faults]


def test_a_yard(tmp_path: Path) -> None:
    """Boards over TCP and on a line, one that is only watched; built without a byte being sent."""
    more = '[[line]]\nid = "old"\npath = "/dev/ttyUSB1"\n'
    text = LISTENER + LINE + more + board(1) + board(2) + board(3, "dny", "rs485") + board(4, "dongjun", "old")
    config = read(tmp_path, text)
    premises = build(config)
    assert [one.id for one in premises.carriers()] == ["rs485", "old", "yard"]
    assert [one.id for one in premises.everything()] == ["b1", "b2", "b3", "b4"]
    assert {name: one.profile_id for name, one in premises.port_boards.items()} == {
        "b1": "dny-tcp", "b2": "dny-tcp", "b3": "dny", "b4": "dongjun",
    }  # fmt: skip
    assert premises.port_boards["b3"].traits.ports == tuple(range(1, 11))
    assert doubts(config) == ["port_board[3]: `b4` is only watched: how to start a dongjun board is not known"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (board(1), ["port_board[0].listener: expected one of (none defined), got `yard`."]),
        (board(1, "dny", "rs485"), ["port_board[0].line: expected one of (none defined), got `rs485`."]),
        (LISTENER + board(1) + board(2, device="101"),
         ["port_board[1].device: expected its own device, got 101, which `b1` has already."]),
        (LINE + board(1, "dny", "rs485") + board(2, "dny", "rs485", address="1"),
         ["port_board[1].address: expected its own address, got 1, which `b1` has already."]),
        (LINE + board(1, "dongjun", "rs485") + board(2, "dongjun", "rs485"),
         ["port_board[1].line: expected its own line, got rs485, which `b1` has already."]),
        (LINE + board(1, "dny", "rs485") + board(2, "dongjun", "rs485"),
         ["line `rs485`: expected one protocol, got dny, dongjun. Give each a line of its own."]),
        (LINE + board(1, "dny", "rs485")
         + '[[device]]\nid = "m"\nline = "rs485"\nprofile = "eastron-sdm630"\nunit = 1\n',
         ["line `rs485`: expected one protocol, got dny, modbus. Give each a line of its own."]),
        (LISTENER + LISTENER.replace("yard", "two") + board(1),
         ["listener[1].port: expected a port of its own, got 192.168.8.1:7054, which `yard` has already."]),
        (LISTENER + board(1, ports="7"),
         ["port_board[0] options.kind: expected the board's type byte, for it has not 1, 2, 10, 12, 16 ports, got "
          "nothing. Add it."]),
        (LISTENER + board(1, options="{ doors = 1, polls = 2 }"),
         ["port_board[0] options.polls: expected one of answer_s, counts_energy, doors, feels_plug, floating, gap_s, "
          "heartbeat_s, kind, limits, load, poll_answer_s, poll_s, power_w_max, time_max_s, got an unknown key. Did "
          "you mean `poll_s`?",
          "port_board[0] options.doors: expected `bool`, got 1."]),
        (LISTENER + LINE + board(1, line='"rs485"'),
         ["port_board[0]: expected values that fit together, got `dny-tcp` hangs on a `listener`, and on no `line`."]),
        (LISTENER + board(1, device=""),
         ["port_board[0]: expected values that fit together, got `dny-tcp` needs the number "
          "printed on it as `device`."]),
        (LISTENER + board(1, address="3"),
         ["port_board[0]: expected values that fit together, got `dny-tcp` has no `address`."]),
        (LISTENER + board(1) + '[[reader]]\nid = "r"\nboard = "b9"\nfd = 3\n',
         ["reader[0].board: expected one of b1, got `b9`."]),
    ],
)  # fmt: skip
def test_what_cannot_work(tmp_path: Path, text: str, told: list[str]) -> None:
    """Each fault with where it is, what was expected there, and what to do."""
    assert faults(tmp_path, text) == told


def test_numbers_and_ids_are_used_once(tmp_path: Path) -> None:
    """Customers read the number, logs the id; a listener is named like a line."""
    text = LISTENER + LINE.replace("rs485", "yard") + board(1) + board(1, device="7")
    assert faults(tmp_path, text) == [
        "line: expected each id once, got `yard` 2 times. Rename one.",
        "device: expected each id once, got `b1` 2 times. Rename one.",
        "port board number: expected each id once, got `1` 2 times. Rename one.",
    ]


def test_what_mostly_is_a_mistake(tmp_path: Path) -> None:
    """Another baud rate, a serial server without raw, a listener for nobody or for everybody."""
    text = (
        LINE + "baud = 19200\n" + '[[line]]\nid = "server"\nhost = "10.0.0.9"\n'
        + LISTENER.replace('peers = ["192.168.8.0/24"]\n', "")
        + LISTENER.replace("yard", "empty").replace("7054", "7055")
        + board(1) + board(2, "dny", "rs485") + board(3, "dny", "server")
    )  # fmt: skip
    assert doubts(read(tmp_path, text)) == [
        "line[0]: dny boards have 9600 baud 8N1, and this line 19200 8N1",
        'line[1]: a serial server with port boards behind it has `framing = "raw"`',
        "listener[0]: no `peers`: whoever reaches 192.168.8.1:7054 may pass for a board, for these have no password",
        "listener[1]: no board connects to `empty`",
    ]


def test_the_examples_port_boards(tmp_path: Path) -> None:
    """What the example shows in comments can be built."""
    example = (ROOT / "config.toml.example").read_text()
    part = example.split("# --- port boards")[1].split("\n", 1)[1].split("# [[ykc]]")[0]
    text = re.sub(r"^# ", "", part, flags=re.M) + LINE.replace("rs485", "rs485-yard")
    premises = build(read(tmp_path, text))
    assert [one.traits.doors for one in premises.port_boards.values()] == [False, True]


def test_the_page_knows_every_protocol_and_option() -> None:
    """Each driver in the table; each option with its default; each key of the thresholds."""
    assert set(DRIVERS) == set(get_args(Protocol))
    assert re.findall(r"^\| `([a-z-]+)` \| [A-Z]|^\| `(dny-tcp)` \| the same", DOCS, flags=re.M)[: len(DRIVERS)] == [
        ("dny", ""), ("", "dny-tcp"), ("dongjun", ""),
    ]  # fmt: skip
    for struct in (DnyOptions, DongjunOptions):
        for field in msgspec.structs.fields(struct):
            shown = "(none|by `ports`)" if field.default is None else str(field.default).lower()
            assert re.search(rf"\| `{field.name}` \| {shown} \|", DOCS), field.name
    for inner in (FloatingOptions, LoadOptions, LimitsOptions):
        for field in msgspec.structs.fields(inner):
            assert f"`{field.name}`" in DOCS, field.name


def test_the_page_knows_every_reason() -> None:
    """The table of ends is the code's."""
    table = DOCS.split("| till | board |")[1].split("\n\n")[0]
    for row in table.splitlines()[2:]:
        end, codes = re.match(r"\| `([a-z-]+)` \| (.*) \|", row).groups()  # type: ignore[union-attr]  # a row of the table
        for code in re.findall(r"\b[01][0-9A-F]\b", codes):
            assert dny_words.end(int(code, 16)).value == end, code
    said = {int(code, 16) for code in re.findall(r"\b[01][0-9A-F]\b", table)}
    assert said == set(StopReason)


def test_the_pages_examples_load(tmp_path: Path) -> None:
    """Both, together."""
    config = read(tmp_path, "\n".join(re.findall(r"```toml\n(.*?)```", DOCS.split("## Trying it")[0], flags=re.S)))
    assert len(build(config).port_boards) == 2
    assert doubts(config) == []
