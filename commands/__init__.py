"""The commands of `rundesk`, one module per noun; `cli.py` puts them together."""
