"""The version of trioarm, where everything that says it finds it."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
