"""The version of trioarm, where everything that says it finds it."""

from __future__ import annotations

from typing import Final

__version__: Final = "0.1.0"
