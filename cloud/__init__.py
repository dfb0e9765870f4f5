"""Headquarters: receive, check, post, reconcile, report."""
