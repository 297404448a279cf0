"""Which revision a Canary of Flagger's has on trial: the checksum that Flagger sends to its webhooks.

Flagger makes it of the Canary's status (fluxcd/flagger v1.44 pkg/controller/webhook.go, canaryChecksum, and
pkg/canary/spec.go, ComputeHash; in the payload since v1.34): 32-bit FNV-1a of what Go's spew prints for a struct of
`trackedConfigs` and `lastAppliedSpec`, its decimal digits written in an alphabet without vowels. To make it here as
well tells which revision an alert accuses before Flagger has asked about it. If a later Flagger makes it otherwise, the
two never agree, and nothing is rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Of k8s.io/apimachinery pkg/util/rand, SafeEncodeString."""
_STRUCT: Final = "(struct { TrackedConfigs *map[string]string; LastAppliedSpec string })"
_OFFSET, _PRIME, _MASK = 0x811C9DC5, 0x01000193, 0xFFFFFFFF


def checksum(last_applied_spec: str, tracked_configs: Mapping[str, str] | None) -> str:
    """The checksum of a Canary's status.

    Args:
        tracked_configs: None: the status has none, which is not the same as an empty one.
    """
    configs = "<nil>"
    if tracked_configs is not None:
        # Go sorts strings by their bytes.
        pairs = sorted((name.encode(), digest.encode()) for name, digest in tracked_configs.items())
        configs = f"map[{' '.join(f'{name.decode()}:{digest.decode()}' for name, digest in pairs)}]"
    told = f"{_STRUCT}{{TrackedConfigs:(*map[string]string){configs} LastAppliedSpec:(string){last_applied_spec}}}"
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(_fnv1a(told.encode())))


def _fnv1a(text: bytes) -> int:
    found = _OFFSET
    for byte in text:
        found = ((found ^ byte) * _PRIME) & _MASK
    return found
