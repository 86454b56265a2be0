"""Benchmarks. Each prints ratios of measurements of one call; absolute figures vary by host."""
