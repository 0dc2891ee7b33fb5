"""Settings that were read from JSON, for machines without pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Settings:
    """Read-only settings, used as a section of the parameters is: `settings.lr`, `settings.second.lr`.

    They are not checked, because they are those of a section that was.
    """

    values: Mapping[str, Any]
    """The fields of the section as JSON values."""

    def __getattr__(self, name: str) -> Any:
        try:
            value = self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(f"there is no setting {name!r}") from None
        return Settings(value) if isinstance(value, dict) else value

    def model_copy(self, *, update: Mapping[str, Any]) -> Settings:
        """A copy with other values, as of a section of the parameters."""
        return Settings({**self.values, **update})
