"""Measurements; each prints ratios from one call, as absolute figures depend on the host."""
