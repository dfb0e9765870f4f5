"""The boards and cabinets of a config: the example's cabinet is whole, and what cannot work is told at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.config import Config, doubts, load
from edge.keys import KeyRing
from edge.meter_signer import measurement_recorder_of
from edge.premises import build
from protocols.door import Refused

EXAMPLE = Path(__file__).parents[2] / "config.toml.example"

GOOD = """
site = "hz-1"
data_dir = "data"

[[line]]
id = "locks"
path = "/dev/ttyUSB0"

[[line]]
id = "io"
path = "/dev/ttyUSB1"

[[line]]
id = "packs"
path = "/dev/ttyUSB2"

[[device]]
id = "m1"
line = "io"
profile = "eastron-sdm230"
unit = 9

[[board]]
id = "locks-1"
protocol = "xor"
line = "locks"
feedback = "nc"

[[board]]
id = "io-1"
protocol = "relay"
line = "io"
address = 1
options = { inputs = 16 }

[[cabinet]]
id = "cab-1"

[[cabinet.slot]]
number = 1
count = 3
lock = "locks-1/1"
door_open = "io-1/1"
present = "not io-1/4"
charger = "io-1/1"
charge_power_w_max = 600
meter = "m1"
pack = { protocol = "greenway", line = "packs", mux = "io-1/4" }

[cabinet.inputs]
smoke = ["io-1/10"]
"""


def read(tmp_path: Path, text: str) -> Config:
    (tmp_path / "config.toml").write_text(text)
    return load(tmp_path / "config.toml")


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(Refused) as refused:
        read(tmp_path, text)
    return [str(fault) for fault in refused.value.faults]


def test_the_cabinet_of_the_example(tmp_path: Path) -> None:
    """Its commented block stands beside the chargers of the example, without a doubt, and is built."""
    text = EXAMPLE.read_text()
    begin = text.index("# --- swap cabinets")
    end = text.index("# --- ", begin + 1)
    block = re.sub(r"^# (?=\[|[a-z_]+ = )", "", text[begin:end], flags=re.M)
    config = read(tmp_path, text[:begin] + block + text[end:])
    assert doubts(config) == []
    premises = build(config)
    assert list(premises.boards) == ["locks-1", "io-1", "io-2", "inside"]
    assert list(premises.cabinets["cab-1"].slots) == [1, 2, 3, 4, 5, 6]
    assert [device.id for device in premises.everything()][-1] == "cab-1"


def test_a_good_one(tmp_path: Path) -> None:
    """What the others are changed from."""
    config = read(tmp_path, GOOD)
    assert doubts(config) == []
    traits = build(config).cabinets["cab-1"].slots[3]
    assert (traits.door, traits.feedback, traits.presence, traits.pack_link, traits.charge_power_w_max) == (
        True,
        True,
        True,
        True,
        600,
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("lock = ", "luck = ", ["slot[0].luck: expected one of", "slot[0].lock: expected text, got nothing"]),
        ('"locks-1/1"', '"locks-1/23"', ["slot[0].lock: expected lock 1 to 24 of `locks-1`, got `locks-1/25`"]),
        ('"locks-1/1"', '"locks-2/1"', ["cabinet[0].slot[0].lock: expected one of io-1, locks-1, got `locks-2`"]),
        ('"locks-1/1"', '"locks-1"', ['slot[0].lock: expected a board and its channel, such as "locks-1/7"']),
        ('"locks-1/1"', '"not locks-1/1"', ["cabinet[0].slot[0].lock: expected a board and its channel"]),
        ('door_open = "io-1/1"', 'door_open = "open"', ['slot[0].door_open: expected an input such as "di-1/7"']),
        ('door_open = "io-1/1"\n', "", ["slot[0].door_open: expected the input that is true while the door"]),
        ('door_open = "io-1/1"', 'door_open = "locks-1/1"', ["expected a board that has an input, got `locks-1/1`"]),
        (
            '"not io-1/4"',
            '"io-1/2"',
            [
                "cabinet[0].slot[0].door_open: expected an input of its own, got `io-1/2`, which is present of slot 1",
                "cabinet[0].slot[0].door_open: expected an input of its own, got `io-1/3`",
            ],
        ),
        ('charger = "io-1/1"', 'charger = "io-1/3"', ["charger: expected an output of its own, got `io-1/4`"]),
        ("charge_power_w_max = 600\n", "", ["`charger` and `charge_power_w_max` go together"]),
        ('meter = "m1"', 'meter = "m2"', ["cabinet[0].slot[0].meter: expected one of m1, got `m2`."]),
        ('line = "packs", mux = "io-1/4"', 'line = "packs"', ["pack.mux: expected the output that connects this slot"]),
        ('line = "packs"', 'line = "locks"', ["line `locks`: expected one protocol, got greenway packs, lock-xor."]),
        ('line = "packs"', 'line = "p-{slot}"', ["pack.line: expected one of io, locks, packs, got `p-1`"]),
        ('protocol = "greenway"', 'protocol = "greenwy"', ["Did you mean `greenway`?"]),
        ('mux = "io-1/4"', 'mux = "io-1/4", address = 0', ["`address` of `greenway` is 1 to"]),
        ('smoke = ["io-1/10"]', 'smoke = ["io-1/17"]', ["cabinet[0].inputs.smoke: expected input 1 to 16 of `io-1`"]),
        ('smoke = ["io-1/10"]', 'smoke = ["io-1/2"]', ["inputs.smoke: expected an input of its own, got `io-1/2`"]),
        ("options = { inputs = 16 }", "options = { inputs = 99 }", ["board[1].options.inputs: expected `int` <= 64"]),
        ('line = "locks"\nf', 'line = "lock"\nf', ["board[0].line: expected one of io, locks, packs, got `lock`."]),
        ("unit = 9", "unit = 1", ["board[1].address: expected an address of its own, got 1, which `m1` on `io` has"]),
        ("count = 3", "count = 3\nfeedback = \"yes\"", ["cabinet[0].slot[0].feedback: expected one of nc, no"]),
        ('id = "cab-1"', 'id = "io-1"', ["device: expected each id once, got `io-1` 2 times."]),
        ('protocol = "xor"\nline = "locks"', 'protocol = "xor"\nline = "io"', ["line `io`: expected one protocol"]),
        ('protocol = "xor"', 'protocol = "xor"\naddress = 33', ["`address` of `xor` is 1 to 32, not 33"]),
    ],
)  # fmt: skip
def test_what_cannot_be(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    """Each mistake is told with its place and what would be right."""
    assert old in GOOD
    said = faults(tmp_path, GOOD.replace(old, new, 1))
    for words in told:
        assert any(words in one for one in said), said


def test_one_number_for_each_place(tmp_path: Path) -> None:
    """Customers and commands name a cabinet by it; two cabinets, or a pump and a cabinet, cannot both be 1."""
    numbered = GOOD.replace('id = "cab-1"', 'id = "cab-1"\nnumber = 1')
    assert read(tmp_path, numbered).cabinet[0].number == 1
    slots = '[[cabinet.slot]]\nnumber = 1\nlock = "locks-1/9"\ndoor_open = "io-1/13"\n'
    said = faults(tmp_path, f'{numbered}\n[[cabinet]]\nid = "cab-2"\nnumber = 1\n{slots}')
    assert said == ["pump or cabinet number: expected each id once, got `1` 2 times. Rename one."]


def test_relays_that_nobody_sees(tmp_path: Path) -> None:
    """A board that tells nothing of its outputs connects no packs; its chargers want a meter."""
    blind = GOOD.replace('protocol = "relay"', 'protocol = "xunming"').replace("inputs = 16", 'model = "bays-8"')
    assert any("pack.mux: expected an output of a board that tells" in one for one in faults(tmp_path, blind))
    bays = '\n[[board]]\nid = "bays"\nprotocol = "xunming"\nline = "io"\naddress = 7\noptions = { model = "bays-8" }\n'
    text = GOOD.replace('charger = "io-1/1"', 'charger = "bays/1"').replace("\n[[cabinet]]", bays + "\n[[cabinet]]", 1)
    assert doubts(read(tmp_path, text)) == []
    said = doubts(read(tmp_path, text.replace('meter = "m1"\n', "")))
    assert said == ["cabinet `cab-1`: slots 1 to 3 have a charger whose relay nobody can see, and no meter: one that "
                    "sticks is not found"]  # fmt: skip


def test_a_pack_is_no_board(tmp_path: Path) -> None:
    """A pack that speaks Modbus may hang beside a board, at another address."""
    beside = '{ protocol = "daly-modbus", line = "io", address = 1 }'
    text = GOOD.replace("count = 3", "count = 1")
    text = text.replace('{ protocol = "greenway", line = "packs", mux = "io-1/4" }', beside)
    said = faults(tmp_path, text)
    assert said == [
        "cabinet[0].slot[0].pack.address: expected an address of its own, got 1, which `io-1` on `io` has already."
    ]
    assert read(tmp_path, text.replace("address = 1 }", "address = 2 }")).cabinet


def test_a_slot_twice(tmp_path: Path) -> None:
    """Two runs overlap: their numbers, and the locks that both would open."""
    again = '\n[[cabinet.slot]]\nnumber = 3\nlock = "locks-1/3"\ndoor_open = "io-1/11"\n\n[cabinet.inputs]'
    assert faults(tmp_path, GOOD.replace("\n[cabinet.inputs]", again)) == [
        "cabinet[0].slot: expected each slot's number once, got slot 3 2 times.",
        "cabinet[0].slot[1].lock: expected a lock of its own, got `locks-1/3`, which is the lock of slot 3 already.",
    ]


def test_one_relay_is_not_a_lock_and_a_charger(tmp_path: Path) -> None:
    """On a relay board lock 1 and output 1 are one thing."""
    text = GOOD.replace('lock = "locks-1/1"', 'lock = "io-1/3"')
    assert any("`io-1/3`, which is the lock of slot 1 already" in one for one in faults(tmp_path, text))


def test_the_locks_contact_as_a_door_needs_a_board_that_reads_it(tmp_path: Path) -> None:
    """A relay that opens a lock tells nothing of it."""
    text = GOOD.replace('lock = "locks-1/1"', 'lock = "io-1/6"').replace(
        'door_open = "io-1/1"', 'door_open = "unlocked"'
    )
    assert any('got "unlocked", and `io-1` reads no contact of lock 6' in one for one in faults(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('feedback = "nc"\n', "", "nobody has said how the lock contacts of slots 1 to 3 are wired"),
        ('door_open = "io-1/1"', 'door_open = "unlocked"', "slots 1 to 3 have no door sensor but the lock's"),
        ('present = "not io-1/4"\n', "", "slots 1 to 3 have no presence switch"),
        ('pack = { protocol = "greenway", line = "packs", mux = "io-1/4" }\n', "", "slots 1 to 3 have no pack link"),
        ("number = 1\n", "number = 2\n", "its slots are not numbered from 1"),
        ('smoke = ["io-1/10"]', "", "no smoke, fire, water or heat input"),
        ("inputs = 16 }", 'inputs = 16, pulse = "gateway" }', "pulses that the gateway times leave a lock energised"),
        ('path = "/dev/ttyUSB0"', 'path = "/dev/ttyUSB0"\nbaud = 19200', "xor boards have 9600 baud 8N1"),
        ('path = "/dev/ttyUSB0"', 'host = "10.0.0.9"', 'with xor boards behind it has `framing = "raw"`'),
        ('path = "/dev/ttyUSB2"', 'path = "/dev/ttyUSB2"\nparity = "E"', "greenway packs have 9600 baud 8N1"),
    ],
)  # fmt: skip
def test_what_is_doubtful(tmp_path: Path, old: str, new: str, told: str) -> None:
    """It may be so, and mostly is a mistake, or not learnt yet: `fieldtill check` says it and goes on."""
    assert old in GOOD
    said = doubts(read(tmp_path, GOOD.replace(old, new, 1)))
    assert any(told in one for one in said), said


def mixed(second: str, *, relays: bool = True) -> str:
    """Slot 4 takes packs of another make."""
    mux = ', mux = "io-1/8"' if relays else ""
    slot = f'number = 4\nlock = "locks-1/4"\ndoor_open = "io-1/11"\npack = {{ {second}{mux} }}\n'
    return GOOD.replace("\n[cabinet.inputs]", f"\n[[cabinet.slot]]\n{slot}\n[cabinet.inputs]")


def test_packs_of_two_makes_in_one_cabinet(tmp_path: Path) -> None:
    """On lines of their own, or behind relays; on one wire without them two protocols are refused."""
    config = read(tmp_path, mixed('protocol = "jbd", line = "packs"'))
    assert {slot.pack.protocol for slot in config.cabinet[0].slot if slot.pack is not None} == {"greenway", "jbd"}
    own = '[[line]]\nid = "jk"\npath = "/dev/ttyUSB3"\nbaud = 115200\n\n[[board]]\nid = "locks-1"'
    text = mixed('protocol = "jk4e57", line = "jk"', relays=False).replace('[[board]]\nid = "locks-1"', own)
    assert doubts(read(tmp_path, text)) == [
        "cabinet `cab-1`: slot 4 has no presence switch, so that only the pack's own word tells whether it is empty"
    ]
    told = faults(tmp_path, mixed('protocol = "jbd", line = "io"', relays=False))
    assert any("line `io`" in one and "one protocol" in one and "jbd packs" in one for one in told), told


@pytest.mark.parametrize(("count", "told"), [(11, False), (12, True)])
def test_more_packs_on_a_line_than_can_be_heard_in_time(tmp_path: Path, count: int, told: bool) -> None:
    """A pack that has not been heard for ten seconds is not charged; a slower charging rule bears more."""
    boards = [f'[[board]]\nid = "mux-{n}"\nprotocol = "relay"\nline = "io"\naddress = {n + 10}\n' for n in range(1, 13)]
    text = GOOD.replace("[[cabinet]]", "\n".join([*boards, "[[cabinet]]"])).replace("count = 3", f"count = {count}")
    text = text.replace("inputs = 16", "inputs = 32").replace("not io-1/4", "not io-1/13").replace("io-1/10", "io-1/32")
    text = text.replace('charger = "io-1/1"\ncharge_power_w_max = 600\nmeter = "m1"\n', "")
    text = text.replace('mux = "io-1/4"', 'mux = "mux-{slot}/1"')
    said = doubts(read(tmp_path, text))
    assert [one for one in said if "packs take about" in one] == said
    assert bool(said) is told
    assert doubts(read(tmp_path, text + "\n[charging]\nsilent_s = 20\n")) == []


def test_packs_that_are_read_too_seldom_to_be_charged(tmp_path: Path) -> None:
    """Each charger would go off before its pack is heard again."""
    said = doubts(read(tmp_path, GOOD.replace('id = "cab-1"\n', 'id = "cab-1"\npack_poll_s = 10\n')))
    assert [one for one in said if "`pack_poll_s` belongs well below" in one] == said != []


def test_the_plate_of_a_cabinet_is_in_its_signed_records(tmp_path: Path) -> None:
    """As a meter's is."""
    config = read(tmp_path, GOOD.replace('id = "cab-1"\n', 'id = "cab-1"\nserial = "HD-12-0042"\n'))
    ring = KeyRing(tmp_path / "keys")
    assert measurement_recorder_of(config, ring).plates["cab-1"].serial == "HD-12-0042"


@pytest.mark.parametrize(("second", "fits"), [(6, True), (5, False)])
def test_packs_behind_slot_boards_share_a_line(tmp_path: Path, second: int, fits: bool) -> None:
    """What answers is the slot's board, beside Modbus boards and with an address of its own: no relay is needed."""
    first = '{ protocol = "vmo", line = "io", address = 5 }'
    other = f'\n[[cabinet.slot]]\nnumber = 2\nlock = "locks-1/2"\ndoor_open = "io-1/11"\npack = {first}\n'
    text = GOOD.replace("count = 3\n", "").replace('{ protocol = "greenway", line = "packs", mux = "io-1/4" }', first)
    text = text.replace(
        "\n[cabinet.inputs]", other.replace("address = 5", f"address = {second}") + "\n[cabinet.inputs]"
    )
    if fits:
        read(tmp_path, text)
    else:
        assert len([one for one in faults(tmp_path, text) if "pack.mux" in one]) == 2
