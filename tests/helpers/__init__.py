"""Helpers shared by tests of all levels."""
