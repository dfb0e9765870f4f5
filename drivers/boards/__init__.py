"""Lock, relay and slot boards: one driver for all, one dialogue per protocol, and what a config says of each."""
