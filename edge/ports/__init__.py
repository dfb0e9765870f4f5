"""Charging ports and lockers at work: the desk's side, a loop for each board, and whoever wants something of them."""
