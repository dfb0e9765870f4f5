"""What do the one-byte codes of DNY messages mean? (AP3000 V8.6.)

Messages carry them as plain numbers, for boards send others too; compare with these.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

PORT_ANY: Final = 0xFF
"""In Switch: the board chooses among the ports with a plug. In CardShown: only the balance is asked for."""

OK: Final = 0


class Command(IntEnum):
    """The byte that says what a message is about. From 81h on, and 72h, the platform asks; below, the board does."""

    POLL = 0x00
    CARD = 0x02
    SETTLEMENT = 0x03
    POWER = 0x06
    HOST_STATE = 0x11
    HOST_TIME = 0x12
    REGISTER = 0x20
    HEARTBEAT = 0x21
    TIME = 0x22
    CABINET = 0x41
    ALARM = 0x42
    FINISHED = 0x43
    PORT_NOTICE = 0x44
    STOP_KEEP_SHUT = 0x72
    QUERY = 0x81
    SWITCH = 0x82
    FLOATING = 0x83
    LOAD = 0x84
    LIMITS = 0x85
    REBOOT = 0x87
    CHANGE = 0x8A
    READ_FLOATING = 0x90
    READ_LOAD = 0x91
    READ_LIMITS = 0x92
    CABINET_ORDER = 0x98


class PortState(IntEnum):
    """Of a port, in heartbeats and power reports."""

    IDLE = 0x00
    CHARGING = 0x01
    PLUGGED = 0x02  # not started; in a cabinet: waits for the charger
    FULL = 0x03  # and still plugged
    NO_METERING = 0x04
    FLOATING = 0x05
    MEMORY_BROKEN = 0x06
    CONTACT_STUCK = 0x07
    POOR_CONTACT = 0x08  # or the fuse
    RELAY_WELDED = 0x09
    HALL_SENSOR = 0x0A
    RELAY_OR_FUSE = 0x0B
    LOAD_SHORT = 0x0D
    RELAY_WELDED_PRECHECK = 0x0E
    CARD_CHIP = 0x0F
    SENSE_CIRCUIT = 0x10


class StopReason(IntEnum):
    """Why a port ended, in settlements."""

    FULL = 0x01
    TIME_MAX = 0x02
    TIME_UP = 0x03
    ENERGY_UP = 0x04
    UNPLUGGED = 0x05
    OVERLOAD = 0x06
    SERVER = 0x07
    DYNAMIC_OVERLOAD = 0x08
    POWER_TOO_LOW = 0x09
    AMBIENT_HOT = 0x0A
    PORT_HOT = 0x0B
    OVER_CURRENT = 0x0C
    UNPLUGGED_CONTACT = 0x0D  # or the contact is stuck
    NO_POWER = 0x0E  # poor contact, or the fuse
    PRECHECK = 0x0F  # relay or fuse
    WATER = 0x10
    FIRE_HERE = 0x11
    FIRE_ELSEWHERE = 0x12
    PASSWORD_DOOR = 0x13
    DOOR_NOT_CLOSED = 0x14
    EXTERNAL = 0x15
    CARD = 0x16
    FORCED = 0x17
    FIRE_SYSTEM = 0x18
    MEMORY = 0x19
    OVER_VOLTAGE = 0x1A
    UNDER_VOLTAGE = 0x1B
    LOW_POWER = 0x1C


class SwitchResult(IntEnum):
    """A board's answer to Switch. A stop that names another order than the port's is ignored."""

    OK = 0x00
    NO_CHARGER = 0x01
    ALREADY = 0x02  # in that state
    PORT_FAULT = 0x03
    NO_SUCH_PORT = 0x04
    SEVERAL_WAIT = 0x05
    TOTAL_POWER = 0x06
    MEMORY = 0x07
    RELAY_OR_FUSE = 0x08
    RELAY_WELDED = 0x09
    LOAD_SHORT = 0x0A
    SMOKE = 0x0B
    OVER_VOLTAGE = 0x0C
    UNDER_VOLTAGE = 0x0D
    NO_ANSWER = 0x0E

    @property
    def done(self) -> bool:
        """Whether the board does what it was told. The document says so of these three, and of none above 9."""
        return self in (SwitchResult.OK, SwitchResult.PORT_FAULT, SwitchResult.RELAY_WELDED)


class ChangeResult(IntEnum):
    """A board's answer to Change."""

    OK = 0
    NOT_CHARGING = 1
    BELOW_USED = 2
    BAD = 3  # no such mode, or port


class Mode(IntEnum):
    """How a session is sold; in Switch and CardAnswer."""

    TIME = 0
    MONTH = 1
    ENERGY = 2
    COUNT = 3


class ChangeMode(IntEnum):
    """What a running port is changed to."""

    TIME = 0
    TIME_OR_FULL = 1
    ENERGY_OR_FULL = 2


class StartKind(IntEnum):
    """Who started a session."""

    OFFLINE_CARD = 0
    SERVER = 1
    CODE = 3


class CardKind(IntEnum):
    """What a card is to the board."""

    OLD = 0
    NEW = 1
    UID_ONLY = 3
    LONG = 4  # its number stands in CardShown.number


class Account(IntEnum):
    """The platform's word on a card. A board says it aloud."""

    OK = 0x00
    UNREGISTERED = 0x01
    BIND = 0x02
    UNBIND = 0x03
    ALREADY_CHARGING = 0x04
    OVER_COUNT = 0x05
    NO_MONEY = 0x06
    EXPIRED = 0x07
    PORT_FAULT = 0x08
    OVER_TIME = 0x0A
    OTHER_OPERATOR = 0x0B
    DEVICE_UNREGISTERED = 0x0C


class AlarmKind(IntEnum):
    """What a board or cabinet raises."""

    MAINS_LOST = 1
    WATER = 2
    HOT_MELT = 3
    SMOKE = 4
    HEAT = 5
    LEVEL = 6
    DOOR_SPRUNG = 7


DOOR_NOT_CLOSED: Final = 1  # the only kind of PortNotice
FORCE_OPEN: Final = 0  # the only function of CabinetOrder
STOP, START = 0, 1  # the actions of Switch
