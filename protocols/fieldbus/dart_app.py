"""DART: what do the blocks say? Transactions of both directions: TRANS, LNG, LNG bytes, one after the other.

Controller and pump use the same numbers for different things (CDn, DCn), so a block is decoded for its direction.
All quantities are packed BCD, most significant digit first, here as whole numbers of the pump's last digit: how many
decimals they have is not in the frames, except in DC7. (facts: DART 1.7.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NoReturn, TypeVar

T = TypeVar("T")

DIGITS_MAX: Final = 99_999_999  # of a volume or an amount
PRICE_MAX: Final = 999_999
TOTAL_MAX: Final = 9_999_999_999
NOZZLE_MAX: Final = 15
AMOUNT_COUNTER: Final = 0x10  # added to the nozzle, asks a pump for its total of money by the volume request


class Ask(IntEnum):
    """DCC: what CD1 asks for."""

    STATUS = 0x00  # -> DC1, DC3
    PARAMETERS = 0x02  # -> DC7
    IDENTITY = 0x03  # -> DC9
    FILLING = 0x04  # -> DC2, DC3
    RESET = 0x05  # clears the preset and the stored sale
    AUTHORIZE = 0x06
    STOP = 0x08
    SWITCH_OFF = 0x0A
    SUSPEND = 0x0D  # Rev 2.11 only
    RESUME = 0x0E  # Rev 2.11 only
    PRICES = 0x0F  # Rev 2.11 only


class State(IntEnum):
    """DC1: what the pump is at."""

    NOT_PROGRAMMED = 0
    RESET = 1
    AUTHORIZED = 2
    FILLING = 4
    COMPLETED = 5
    MAX_REACHED = 6
    SWITCHED_OFF = 7
    SUSPENDED = 8


ALARMS: Final[Mapping[int, str]] = {
    0x01: "CPU reset",
    0x03: "RAM error",
    0x04: "PROM checksum error",
    0x06: "pulser error",
    0x07: "pulser current error",
    0x09: "emergency stop",
    0x0A: "power failure",
    0x0B: "pressure lost",
    0x0C: "blend ratio error",
    0x0D: "low leak error",
    0x0E: "high leak error",
}
"""DC5, where a document says what they mean; Rev 2.11 has more."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A transaction that has no meaning here, or a known one whose content does not fit; skipped by its length."""

    number: int
    data: bytes


# Controller -> pump.


@dataclass(frozen=True, slots=True)
class Command:
    """CD1. what: an `Ask`, or a number that is none."""

    what: int


@dataclass(frozen=True, slots=True)
class Allow:
    """CD2: the nozzles that may be used."""

    nozzles: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PresetVolume:
    """CD3, eight digits."""

    digits: int


@dataclass(frozen=True, slots=True)
class PresetAmount:
    """CD4, eight digits."""

    digits: int


@dataclass(frozen=True, slots=True)
class Prices:
    """CD5, six digits each, from nozzle 1 on. A pump ignores it unless it covers all its nozzles."""

    digits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """CD7, output control (Rev 2.11); its content is not known."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SetParameters:
    """CD9; its content is not known."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FillingType:
    """CD13."""

    credit: bool


@dataclass(frozen=True, slots=True)
class Suspend:
    """CD14; DC14 says it back. nozzle: normally 0."""

    nozzle: int = 0


@dataclass(frozen=True, slots=True)
class Resume:
    """CD15; DC15 says it back. nozzle: normally 0."""

    nozzle: int = 0


@dataclass(frozen=True, slots=True)
class AskTotals:
    """CD101. counter: 1..=9 for the volume total of that nozzle; 11h..19h for its amount total, where a pump has it."""

    counter: int


@dataclass(frozen=True, slots=True)
class AskAmountTotal:
    """CD102 of S4: the amount total of a nozzle."""

    nozzle: int


FromController = (
    Command
    | Allow
    | PresetVolume
    | PresetAmount
    | Prices
    | Output
    | SetParameters
    | FillingType
    | Suspend
    | Resume
    | AskTotals
    | AskAmountTotal
    | Unknown
)


# Pump -> controller.


@dataclass(frozen=True, slots=True)
class Status:
    """DC1. state: a `State`, or a number that is none."""

    state: int


@dataclass(frozen=True, slots=True)
class Filled:
    """DC2: what has flowed and what it costs, eight digits each."""

    volume: int
    amount: int


@dataclass(frozen=True, slots=True)
class NozzlePrice:
    """DC3: six digits of price, the selected nozzle (0: none), and whether it is out."""

    price: int
    nozzle: int
    out: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """DC5."""

    code: int

    @property
    def word(self) -> str:
        return ALARMS.get(self.code, f"alarm {self.code:02X}")


@dataclass(frozen=True, slots=True)
class Parameters:
    """DC7: decimals of volume, amount and price. amount_max: eight digits; None: unreadable. Never seen on a wire."""

    volume_decimals: int
    amount_decimals: int
    price_decimals: int
    amount_max: int | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """DC9: four digits of maker, two of type, four of version, all ten as text."""

    digits: str


@dataclass(frozen=True, slots=True)
class Totals:
    """DC101 (and DC102): the counter asked for, and what stands in it, ten digits each; the length says which layout.

    16: the total and the two meters it is the sum of. 6: the total alone. 13: the totals of volume and of amount.
    """

    counter: int
    values: tuple[int, ...]

    @property
    def nozzle(self) -> int:
        return self.counter & 0x0F

    @property
    def of_amount(self) -> bool:
        """Whether the first value is money, by the counter alone."""
        return self.counter & 0xF0 == AMOUNT_COUNTER


@dataclass(frozen=True, slots=True)
class AmountTotal:
    """DC102 of S4."""

    nozzle: int
    values: tuple[int, ...]


FromPump = (
    Status | Filled | NozzlePrice | Alarm | Parameters | Identity | Suspend | Resume | Totals | AmountTotal | Unknown
)


def encode_to_pump(*transactions: FromController) -> bytes:
    """The data of one block. Raises ValueError for what does not fit."""
    return b"".join(_block(*_to_pump(transaction)) for transaction in transactions)


def encode_to_controller(*transactions: FromPump) -> bytes:
    """The data of one block. Raises ValueError for what does not fit."""
    return b"".join(_block(*_to_controller(transaction)) for transaction in transactions)


def decode_from_controller(data: bytes) -> tuple[FromController, ...]:
    """What a block says to a pump. Never raises; a transaction cut short is Unknown with what there is of it."""
    return tuple(_decode(*part, _FROM_CONTROLLER) for part in _split(data))


def decode_from_pump(data: bytes) -> tuple[FromPump, ...]:
    """What a block says of a pump. Never raises; a transaction cut short is Unknown with what there is of it."""
    return tuple(_decode(*part, _FROM_PUMP) for part in _split(data))


def _to_pump(transaction: FromController) -> tuple[int, bytes]:
    match transaction:
        case Command(what):
            return 0x01, bytes([what])
        case Allow(nozzles):
            return 0x02, bytes(_nozzle(nozzle) for nozzle in nozzles)
        case PresetVolume(digits):
            return 0x03, _bcd(digits, 4)
        case PresetAmount(digits):
            return 0x04, _bcd(digits, 4)
        case Prices(prices):
            return 0x05, b"".join(_bcd(price, 3) for price in prices)
        case Output(data):
            return 0x07, data
        case SetParameters(data):
            return 0x09, data
        case FillingType(credit):
            return 0x0D, bytes([credit])
        case Suspend(nozzle):
            return 0x0E, bytes([nozzle])
        case Resume(nozzle):
            return 0x0F, bytes([nozzle])
        case AskTotals(counter):
            return 0x65, bytes([counter])
        case AskAmountTotal(nozzle):
            return 0x66, bytes([nozzle])
        case Unknown(number, data):
            return number, data


def _to_controller(transaction: FromPump) -> tuple[int, bytes]:
    match transaction:
        case Status(state):
            return 0x01, bytes([state])
        case Filled(volume, amount):
            return 0x02, _bcd(volume, 4) + _bcd(amount, 4)
        case NozzlePrice(price, nozzle, out):
            if not 0 <= nozzle <= NOZZLE_MAX:
                raise ValueError(f"expected a nozzle of 0..{NOZZLE_MAX}, got {nozzle}")
            return 0x03, _bcd(price, 3) + bytes([nozzle | out << 4])
        case Alarm(code):
            return 0x05, bytes([code])
        case Parameters(volume, amount, price, amount_max):
            return 0x07, bytes(22) + bytes([volume, amount, price]) + bytes(5) + _bcd(amount_max or 0, 4) + bytes(16)
        case Identity(digits):
            return 0x09, bytes.fromhex(digits)
        case Suspend(nozzle):
            return 0x0E, bytes([nozzle])
        case Resume(nozzle):
            return 0x0F, bytes([nozzle])
        case Totals(counter, values):
            return 0x65, bytes([counter]) + _totals(values)
        case AmountTotal(nozzle, values):
            return 0x66, bytes([nozzle]) + _totals(values)
        case Unknown(number, data):
            return number, data


def _totals(values: tuple[int, ...]) -> bytes:
    size = 6 if len(values) == 2 else 5
    if any(value > TOTAL_MAX for value in values):
        raise ValueError(f"a total has ten digits, got {values}")
    return b"".join(_bcd(value, size) for value in values)


def _split(data: bytes) -> list[tuple[int, bytes, bool]]:
    """TRANS, content, and whether all of it is there."""
    found, at = [], 0
    while at < len(data):
        end = at + 2 + (data[at + 1] if at + 1 < len(data) else 0)
        found.append((data[at], data[at + 2 : end], at + 2 <= end <= len(data)))
        at = end
    return found


def _decode(number: int, content: bytes, whole: bool, table: Mapping[int, Callable[[bytes], T]]) -> T | Unknown:
    read = table.get(number)
    if read is None or not whole:
        return Unknown(number, content)
    try:
        return read(content)
    except ValueError:
        return Unknown(number, content)


def _block(number: int, content: bytes) -> bytes:
    if len(content) > 255:
        raise ValueError(f"a transaction carries at most 255 bytes, got {len(content)}")
    return bytes([number, len(content)]) + content


def _bcd(value: int, size: int) -> bytes:
    if not 0 <= value < 10 ** (2 * size):
        raise ValueError(f"expected {2 * size} digits at most, got {value}")
    return bytes.fromhex(f"{value:0{2 * size}d}")


def _digits(content: bytes) -> int:
    """The number in packed BCD. Raises ValueError for a nibble that is no digit."""
    return int(content.hex()) if content.hex().isdecimal() else _refuse("digits", content)


def _nozzle(nozzle: int) -> int:
    if not 1 <= nozzle <= NOZZLE_MAX:
        raise ValueError(f"expected a nozzle of 1..{NOZZLE_MAX}, got {nozzle}")
    return nozzle


def _refuse(wanted: str, content: bytes) -> NoReturn:
    raise ValueError(f"expected {wanted}, got {content.hex(' ')}")


def _sized(content: bytes, size: int) -> bytes:
    return content if len(content) == size else _refuse(f"{size} bytes", content)


def _read_prices(content: bytes) -> Prices:
    if len(content) % 3:
        _refuse("three bytes for each price", content)
    return Prices(tuple(_digits(content[at : at + 3]) for at in range(0, len(content), 3)))


def _read_filled(content: bytes) -> Filled:
    _sized(content, 8)
    return Filled(_digits(content[:4]), _digits(content[4:]))


def _read_nozzle_price(content: bytes) -> NozzlePrice:
    _sized(content, 4)
    return NozzlePrice(_digits(content[:3]), content[3] & 0x0F, bool(content[3] & 0x10))


def _read_parameters(content: bytes) -> Parameters:
    """The document gives 50 bytes, and fields that add up to 51: what stands behind the decimals is not relied on."""
    if len(content) < 34:
        _refuse("50 bytes", content)
    if any(decimals > 8 for decimals in content[22:25]):
        _refuse("decimals of 0..8", content)
    highest = content[30:34].hex()
    return Parameters(content[22], content[23], content[24], int(highest) if highest.isdecimal() else None)


def _read_totals(content: bytes) -> tuple[int, tuple[int, ...]]:
    """Three layouts, told by their length. Of six bytes the first is not used."""
    counter, body = content[0] if content else 0, content[1:]
    if len(body) in (5, 15):
        return counter, tuple(_digits(body[at : at + 5]) for at in range(0, len(body), 5))
    if len(body) == 12:
        return counter, (_digits(body[1:6]), _digits(body[7:12]))
    return _refuse("6, 13 or 16 bytes", content)


_FROM_CONTROLLER: Final[Mapping[int, Callable[[bytes], FromController]]] = {
    0x01: lambda content: Command(_sized(content, 1)[0]),
    0x02: lambda content: Allow(tuple(_nozzle(byte) for byte in content)),
    0x03: lambda content: PresetVolume(_digits(_sized(content, 4))),
    0x04: lambda content: PresetAmount(_digits(_sized(content, 4))),
    0x05: _read_prices,
    0x07: Output,
    0x09: SetParameters,
    0x0D: lambda content: FillingType(bool(_sized(content, 1)[0])),
    0x0E: lambda content: Suspend(_sized(content, 1)[0]),
    0x0F: lambda content: Resume(_sized(content, 1)[0]),
    0x65: lambda content: AskTotals(_sized(content, 1)[0]),
    0x66: lambda content: AskAmountTotal(_sized(content, 1)[0]),
}

_FROM_PUMP: Final[Mapping[int, Callable[[bytes], FromPump]]] = {
    0x01: lambda content: Status(_sized(content, 1)[0]),
    0x02: _read_filled,
    0x03: _read_nozzle_price,
    0x05: lambda content: Alarm(_sized(content, 1)[0]),
    0x07: _read_parameters,
    0x09: lambda content: Identity(str(_digits(_sized(content, 5))).rjust(10, "0")),
    0x0E: lambda content: Suspend(_sized(content, 1)[0]),
    0x0F: lambda content: Resume(_sized(content, 1)[0]),
    0x65: lambda content: Totals(*_read_totals(content)),
    0x66: lambda content: AmountTotal(*_read_totals(content)),
}
