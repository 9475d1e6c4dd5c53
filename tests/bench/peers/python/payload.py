"""The job that everybody runs: it does nothing, and carries 200 bytes as compact JSON."""

from __future__ import annotations

import json
import time

PAYLOAD_BYTES = 200

# As many digits as a time of this century has, so that all payloads are of one size.
TIMELESS = 1_000_000_000_000_000


def compact(payload: dict) -> str:
    return json.dumps(payload, separators=(",", ":"))


_TEXT = "x" * (PAYLOAD_BYTES - len(compact({"at": TIMELESS, "text": ""})))


def timeless() -> dict:
    return {"at": TIMELESS, "text": _TEXT}


def now() -> dict:
    """A payload that tells when it was submitted, in microseconds since 1970."""
    return {"at": now_us(), "text": _TEXT}


def now_us() -> int:
    return time.time_ns() // 1_000
