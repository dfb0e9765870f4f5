"""Simulated devices that speak the real protocol on a real pty or TCP port."""
