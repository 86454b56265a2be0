"""What can go wrong, in our own words.

Services raise these and nothing else on purpose. `api.py` turns them into HTTP in one place, `ui/`
into sentences on the page. The docstring of a class is its default message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Problem:
    """One thing wrong with what was sent: where, what, and what to do about it."""

    field: str  # path of the field, for instance "params.evalue"; "" for the whole
    message: str  # one sentence
    hint: str = ""  # what to do next, where it is not obvious

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


class RundeskError(Exception):
    """Something went wrong."""

    def __init__(self, message: str = "", *, field: str = "", hint: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.field = field
        self.hint = hint
        super().__init__(self.message)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (Problem(self.field, self.message, self.hint),) if self.field else ()


class Invalid(RundeskError):
    """What was sent does not fit."""

    def __init__(
        self,
        message: str = "",
        *,
        field: str = "",
        hint: str = "",
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(message, field=field, hint=hint)
        self._problems = tuple(problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems or super().problems


class NotFound(RundeskError):
    """There is no such thing, or it is not yours."""


class Conflict(RundeskError):
    """That is not possible in the present state."""


class Forbidden(RundeskError):
    """You may not do that."""


class NotSignedIn(RundeskError):
    """Sign in first."""


class TooMany(RundeskError):
    """That was too often; wait a moment."""

    def __init__(self, message: str = "", *, seconds: int, hint: str = "") -> None:
        self.seconds = seconds  # until it may be tried again
        super().__init__(message, hint=hint or f"Try again in {seconds} s.")


class TooLarge(RundeskError):
    """That is larger than this desk takes."""


class DiskFull(RundeskError):
    """The disk of this desk is full."""


class DatabaseUnavailable(RundeskError):
    """The database does not answer at the moment."""


class WrongOffset(Conflict):
    """The upload stands at another byte."""


class WrongChecksum(RundeskError):
    """What arrived does not have the checksum that was sent with it."""


class Locked(RundeskError):
    """Another request is at work on it."""


class TransitionRefused(Conflict):
    """The run is not in a state from which that is allowed, or somebody else holds it now."""


class Misconfigured(RundeskError):
    """A setting does not fit; the process does not start."""
