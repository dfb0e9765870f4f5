"""How a stranger checks a log: tree, notes, checkpoints, cosignatures."""
