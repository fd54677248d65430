"""Metrics in memory: they begin at nothing with each start."""
