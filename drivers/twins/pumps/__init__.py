"""Simulated pumps: one physical dispenser, its customers and its faults, under the twin of each protocol."""
