"""`rundesk`: the operators' command."""

from __future__ import annotations

from commands import cache, databases, host, serving, tokens, workflows
from commands.group import main

__all__ = ["cache", "databases", "host", "main", "serving", "tokens", "workflows"]

if __name__ == "__main__":
    main()
