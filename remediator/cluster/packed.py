"""A record as the index keeps it: packed, with what it is looked up by beside it."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from sys import intern
from typing import Final

from remediator.cluster.sharing import interned, shared
from remediator.records.ledger import Firing, Head, head
from remediator.records.model import Remediation
from remediator.records.moments import Moments, moments
from remediator.records.wire import parse, render

_COMPRESSION: Final = 1
"""The quickest of zlib's levels, as for routing objects: higher ones save little, and a watch brings many records."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A record as it is kept: as a value it would take ten times the memory, and it is quickly had again."""

    head: Head
    version: str
    firings: tuple[Firing, ...]
    moments: Moments
    text: bytes
    """JSON, compressed."""
    told: bool = False
    """Whether its source has told of this version; else we have it from our own write."""

    @classmethod
    def of(cls, record: Remediation) -> Packed:
        """Pack a record that is stored."""
        text = json.dumps(render(record), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
        firings = tuple((intern(found), at) for found, at in sorted(record.intent.firings))
        packed = zlib.compress(text, _COMPRESSION)
        return cls(shared(head(record)), record.resource_version, firings, interned(moments(record)), packed)

    def record(self) -> Remediation:
        """The record as a value."""
        return parse(json.loads(zlib.decompress(self.text).decode("utf-8", "surrogatepass")))
