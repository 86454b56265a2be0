"""Modules of the mass spectrometry report workflow."""
