"""The embedded MongoDB server: its program, its process and its keeper."""
