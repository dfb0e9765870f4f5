"""`python -m bench`: what the software costs, always beside a limit or a peer of the same run on the same machine."""
