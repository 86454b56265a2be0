"""`rundesk`, the command for operators."""

from __future__ import annotations

from commands.group import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
