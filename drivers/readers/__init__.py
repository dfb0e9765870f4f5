"""Readers: what says who is there. Cards on serial ports and PC/SC, and scanners of codes."""
