"""Which id is in a DNY board's frames? The type in the top byte, the number that is printed on it below."""

from __future__ import annotations

from drivers.ports.config import PortBoardConfig
from drivers.ports.dny_options import KIND_OF_PORTS, DnyOptions
from protocols.door import Fault, Refused
from protocols.fieldbus.dny_frames import device_id


def device_of(config: PortBoardConfig, options: DnyOptions) -> int:
    """Raises Refused for a board whose type cannot be told by its ports."""
    assert config.device is not None, "PortBoardConfig sees to it"
    kind = KIND_OF_PORTS.get(config.ports) if options.kind is None else options.kind
    if kind is None:
        known = ", ".join(str(ports) for ports in KIND_OF_PORTS)
        fault = Fault("options.kind", f"the board's type byte, for it has not {known} ports", "nothing", "Add it.")
        raise Refused(f"port board {config.id}", [fault])
    return device_id(kind, config.device)
