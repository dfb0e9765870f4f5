"""What can go wrong with a device, sorted by what the caller does next."""

from __future__ import annotations


class DeviceError(Exception):
    """A device did not do as asked. `what`, `where` and `remedy` are for a person; the class is for the program.

    where: device, line and, where it applies, the register, as `line:device:register`.
    """

    remedy = "Run `fieldtill devices` for the state of the line and every device on it."

    def __init__(self, what: str, *, where: str, remedy: str | None = None) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what
        self.where = where
        if remedy is not None:
            self.remedy = remedy


class Transient(DeviceError):
    """Try again later; nothing is known to be wrong for good."""


class Silent(Transient):
    """No valid answer within the device's timeout and retries, or the device is in its back-off pause."""

    remedy = "Check supply, A/B wiring and unit id; `fieldtill scan LINE` lists who answers."


class LineDown(Transient):
    """The serial port or TCP peer itself is not there."""

    remedy = (
        "Check that the adapter is plugged in and its /dev/serial/by-id path exists, or that the peer can be reached."
    )


class Garbled(Transient):
    """Bytes came, but no valid answer to this request: noise, wrong CRC, short, foreign or echoed frames."""

    remedy = "Check termination, shielding, baud rate and parity, and that no two devices share one unit id."


class DeviceFault(DeviceError):
    """The device answered that it is ill. The write must not be repeated blindly."""


class Unsupported(DeviceError):
    """The device refuses this register or function. Leave it out until the device returns from a break."""


class Misconfigured(DeviceError):
    """Stop and ask a person."""
