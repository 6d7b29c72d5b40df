"""What every section of the settings is: frozen, with a docstring per line, strict about names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A part of the tree of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def changed(self, *names: str) -> Iterator[str]:
        """Those of the settings ``names`` that are not as they are by default."""
        for name in names:
            if getattr(self, name) != type(self).model_fields[name].default:
                yield name

    def idle(self, *names: str, as_long_as: str, mend: str) -> None:
        """Refuse a change to settings that do nothing now: whoever makes it means something.

        Args:
            names: of the settings.
            as_long_as: why they do nothing.
            mend: what would put them to use.

        Raises:
            ValueError: one of them is not as it is by default.
        """
        for name in self.changed(*names):
            raise ValueError(
                f"{name} is {getattr(self, name)!r}, but {as_long_as}, so it would do nothing. "
                f"{mend}, or leave {name} out."
            )
