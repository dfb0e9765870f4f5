"""Port boards and piles: how a protocol becomes a `drivers.port_board.PortBoard`."""
