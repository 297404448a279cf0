"""The names of records: every delivery, replica and restart derives the same one from the same facts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

_LONGEST_POLICY = 40
"""Characters of the policy's name: the whole then fits in the value of a label (63)."""
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a remediation the same one: this firing of this alert, under this policy, on this very object."""

    fingerprint: str
    starts_at: datetime
    policy: str
    target_uid: str

    def name(self, turn: int = 1) -> str:
        """The record's name.

        Args:
            turn: 2 for the second time that this firing has to be answered on this object, because somebody
                brought the suspect back since; and so on.

        >>> Key("ab", datetime(2026, 1, 1), "canary", "uid").name(2)
        'canary-06e9ae7170c9-2'
        """
        return _base(self) if turn == 1 else f"{_base(self)}-{turn}"

    def turn(self, name: str) -> int:
        """Which turn the record `name` is; 0 if it is not of this key."""
        base, last = self.name(), name.rpartition("-")[2]
        if name == base:
            return 1
        return int(last) if name == f"{base}-{last}" and last.isdecimal() and len(last) < 7 else 0


@lru_cache(maxsize=1024)
def _base(key: Key) -> str:
    """The name of the first turn; kept, for it is held against the name of every record of a target."""
    parts = (key.fingerprint, key.starts_at.isoformat(timespec="microseconds"), key.policy, key.target_uid)
    digest = hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:_DIGITS]
    return f"{key.policy[:_LONGEST_POLICY].strip('-.')}-{digest}"
