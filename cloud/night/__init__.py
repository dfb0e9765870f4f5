"""The night: reconcile everything with everything, and say so in a report."""
