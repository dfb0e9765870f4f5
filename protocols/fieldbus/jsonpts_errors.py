"""What does a PTS-2 controller refuse with, by number and by name?

The numbers are those of the maker's own SDKs. Newer firmware may know more: an unknown number stays a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final

PREFIX: Final = "JSONPTS_ERROR_"


class Malformed(ValueError):
    """A message that is no jsonPTS, or says what it cannot say. The text names the place."""


@unique
class Code(IntEnum):
    """Of an error packet. On the wire the name goes with `JSONPTS_ERROR_` before it, except for 2..=5."""

    NOT_FOUND = 1  # no such request in this firmware
    INVALID_JSON_REQUEST = 2
    NO_DATA_ERROR = 3
    NO_DATA_FOR_RESPONSE = 4
    JSON_REQUEST_IS_TOO_LONG = 5
    NO_PERMISSIONS = 6
    NO_SD_FOUND = 7
    POWER_DOWN_DETECTED = 8
    SD_NOT_MOUNTED = 9
    SD_ERROR = 11
    INCORRECT_PUMPS_CONFIGURATION = 15
    COULD_NOT_GET_DATETIME = 17
    COULD_NOT_GET_PUMP_NUMBER = 18
    COULD_NOT_GET_PUMP_TRANSACTION_NUMBER = 19
    PUMP_NUMBER_OUT_OF_RANGE = 20
    PUMP_TRANSACTION_NUMBER_OUT_OF_RANGE = 21
    PUMP_TRANSACTION_NOT_FOUND = 22
    COULD_NOT_GET_TRANSACTION_NUMBER = 25
    TRANSACTION_NUMBER_OUT_OF_RANGE = 26
    TRANSACTION_NUMBER_NOT_MATCH = 27
    TRANSACTION_NUMBER_ALREADY_EXIST = 28
    COULD_NOT_GET_NOZZLE_NUMBER = 29
    COULD_NOT_GET_NOZZLE_NUMBER_FUEL_GRADE_ID = 31
    NOZZLE_NUMBER_OUT_OF_RANGE = 33
    COULD_NOT_GET_TYPE = 34
    TYPE_OUT_OF_RANGE = 36
    COULD_NOT_GET_DOSE_VALUE = 37
    COULD_NOT_GET_PRICE_VALUE = 38
    DUPLICATED_AUTHORIZATION_REQUEST = 39
    PUMP_BUSY_OTHER_USER = 40
    PUMP_BUSY_OTHER_REQUEST_EXECUTED = 41
    PUMP_BUSY_FILLING = 42
    PUMP_NOT_IN_FILLING_PROCESS = 43
    USER_NOT_MATCH = 46
    DATE_OUT_OF_RANGE = 47
    TIME_OUT_OF_RANGE = 48
    PUMP_IS_NOT_CONFIGURED = 52
    TANK_PRODUCT_HEIGHT_IS_CRITICAL_LOW = 65
    PUMP_STATUS_NOT_END_OF_TRANSACTION = 69
    TAG_IS_NOT_VALID = 70
    DATETIME_INCORRECT_FORMAT = 71
    REPEATED_AUTHORIZE_PUMP_PRICE_DIFFERENT = 78

    @property
    def message(self) -> str:
        """As the controller spells it."""
        return self.name if 2 <= self <= 5 else PREFIX + self.name


@dataclass(frozen=True, slots=True)
class Refusal:
    """The controller did not do as asked. code: None: it gave none. message: its own word."""

    code: int | None
    message: str

    @classmethod
    def of(cls, code: Code) -> Refusal:
        return cls(int(code), code.message)

    @property
    def known(self) -> Code | None:
        """The code, if it is one of `Code`."""
        return Code(self.code) if self.code in _CODES else None

    def __str__(self) -> str:
        return f"{self.message or 'no message'} ({'no code' if self.code is None else f'code {self.code}'})"


_CODES: Final = frozenset(int(code) for code in Code)
