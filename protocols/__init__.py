"""What two parties must agree on: bytes in, values out; no I/O, no clock, no randomness."""
