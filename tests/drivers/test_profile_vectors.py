"""Every shipped profile decodes the register images and frames that travel with it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from drivers.profile import Point, Profile, Vector
from drivers.profile_decode import codec
from drivers.profile_load import load
from drivers.profile_state import Value, rules_of
from protocols.fieldbus.modbus import Framing, WriteCoils, WriteRegisters, request_frame

FOLDER = Path(__file__).parents[2] / "drivers" / "profiles"
PROFILES = {path.stem: load(path) for path in sorted(FOLDER.glob("*.toml"))}
SPACES = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
VECTORS = [
    pytest.param(profile, vector, id=f"{name}: {vector.name}")
    for name, profile in PROFILES.items()
    for vector in profile.vectors
]


@pytest.mark.parametrize(("profile", "vector"), VECTORS)
def test_vector(profile: Profile, vector: Vector) -> None:
    """Registers become the stated values and the stated IEC 61851 letter."""
    image = dict(_image(vector))
    values = {
        name: _decode(profile, point, image)
        for name, point in profile.points.items()
        if _covered(profile, point, image)
    }
    for name, expected in vector.values.items():
        assert name in values, f"{name} is not in the image"
        assert _means(values[name], expected, profile.points[name]), f"{name}: {values[name]} is not {expected}"
    if vector.iec is not None:
        letter, reason = rules_of(profile).decide(values)
        assert letter.value == vector.iec, reason


@pytest.mark.parametrize(("profile", "vector"), [case for case in VECTORS if case.values[1].writes])  # type: ignore[union-attr]  # every case has two values
def test_write_vector(profile: Profile, vector: Vector) -> None:
    """Values become exactly the stated request."""
    framing = Framing.RTU if vector.wire == "rtu" else Framing.TCP
    request = bytes.fromhex(vector.request)
    unit, transaction_id = (
        (request[0], 0) if framing is Framing.RTU else (request[6], int.from_bytes(request[:2], "big"))
    )
    ((name, value),) = vector.writes.items()
    point = profile.points[name]
    words = codec(profile, point).encode(Fraction(value))
    address = profile.wire_address(point)
    single = point.write_fc in (5, 6) or (point.write_fc is None and len(words) == 1)
    pdu = (
        WriteCoils(address, tuple(map(bool, words)), single=single)
        if point.space == "coil"
        else WriteRegisters(address, words, single=single)
    )
    assert request_frame(framing, unit, pdu, transaction_id) == request


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_profile_is_proven(profile: Profile) -> None:
    """Each profile is named like its file, tells its source, and proves what it bills or how it decides by vectors."""
    assert PROFILES[profile.id] is profile
    proven = {name for vector in profile.vectors for name in (*vector.values, *vector.writes)}
    if profile.device.kind == "meter":
        assert proven & set(profile.gives.register)
    elif profile.device.kind == "gauge":
        assert proven >= {name for name in (profile.gives.volume, profile.gives.level) if name is not None}
    else:
        assert any(vector.iec == "C" for vector in profile.vectors)


def test_what_ships() -> None:
    """The products that the documentation promises are there."""
    assert sum(profile.device.kind == "charger" for profile in PROFILES.values()) >= 10
    assert sum(profile.device.kind == "meter" for profile in PROFILES.values()) >= 9


def _image(vector: Vector) -> Iterator[tuple[tuple[str, int], int]]:
    for key, words in vector.image.items():
        space, address = key.split()
        data = bytes.fromhex(words)
        for place, word in enumerate(struct.unpack(f">{len(data) // 2}H", data)):
            yield (space, int(address, 0) + place), word
    if vector.reply:
        request, reply = (_pdu(bytes.fromhex(frame), vector.wire) for frame in (vector.request, vector.reply))
        assert request[0] == reply[0], "an exception is no vector"
        if request[0] in (3, 4):
            address, count = struct.unpack(">HH", request[1:])
            for place, word in enumerate(struct.unpack(f">{count}H", reply[2:])):
                yield (SPACES[request[0]], address + place), word


def _pdu(frame: bytes, wire: str) -> bytes:
    """The PDU of a frame; its CRC, or its MBAP length, must be right."""
    if wire == "rtu":
        assert _crc(frame[:-2]) == int.from_bytes(frame[-2:], "little"), f"wrong CRC in {frame.hex(' ')}"
        return frame[1:-2]
    assert int.from_bytes(frame[4:6], "big") == len(frame) - 6, f"wrong length in {frame.hex(' ')}"
    return frame[7:]


def _crc(data: bytes) -> int:
    """Bit by bit, on purpose another way than pymodbus's table."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def _covered(profile: Profile, point: Point, image: dict[tuple[str, int], int]) -> bool:
    address = profile.wire_address(point)
    return all((point.space, address + place) in image for place in range(point.registers))


def _decode(profile: Profile, point: Point, image: dict[tuple[str, int], int]) -> Value:
    address = profile.wire_address(point)
    value = codec(profile, point).decode([image[point.space, address + place] for place in range(point.registers)])
    assert value is None or isinstance(value, int | str | Fraction)
    return value


def _means(value: Value, expected: int | str, point: Point) -> bool:
    """Exactly as written; a raw float as exactly as the expected decimals go."""
    if value is None or expected == "-":
        return value is None and expected == "-"
    if isinstance(value, str):
        return value == expected
    if point.type == "f32" and point.resolution is None:
        _, _, decimals = str(expected).partition(".")
        return abs(value - Fraction(expected)) * 10 ** len(decimals) * 2 <= 1
    return value == Fraction(expected)
