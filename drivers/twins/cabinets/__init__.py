"""Simulated swap cabinets: packs, slots, riders and mishaps, behind the real protocols of boards and packs."""
