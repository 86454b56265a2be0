"""Modules shared by the workflows for sequencing reads; each has an identical copy."""
