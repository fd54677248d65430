"""Errors that nobody foresaw, in the log of the process."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

_log = logging.getLogger("pai.http")


def log_surprise(error: BaseException, request_id: str = "") -> None:
    """Log an error that nobody foresaw: its kind and place. Never the message: it may hold content."""
    during = f" during {request_id}" if request_id else ""
    _log.error("unexpected %s at %s%s", type(error).__name__, _where(error), during)


def _where(error: BaseException) -> str:
    """Return file and line of the last frames."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
