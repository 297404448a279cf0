"""Prometheus' remote write, as bytes: a protobuf WriteRequest in a Snappy block.

Format: https://prometheus.io/docs/specs/prw/remote_write_spec/; the block is one literal, which every reader takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

STALE: Final = np.uint64(0x7FF0000000000002)
"""The bits by which Prometheus says that a series has ended (model/value/value.go, StaleNaN)."""

_SAMPLE: Final = np.dtype(
    [("tag", "u1"), ("size", "u1"), ("value_tag", "u1"), ("value", "<u8"), ("time_tag", "u1"), ("time", "u1", 6)]
)
"""One Sample whose time takes six bytes: every time in milliseconds from 2004 to 2109."""


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one series, by ascending time."""

    labels: Mapping[str, str]
    milliseconds: npt.NDArray[np.int64]
    bits: npt.NDArray[np.uint64]
    """The values, as their 64 bits: a stale marker is a NaN among NaNs."""


def request(series: Iterable[Series]) -> bytes:
    """The body of a request."""
    message = b"".join(_field(1, _series(each)) for each in series)
    return _varint(len(message)) + b"\xfc" + (len(message) - 1).to_bytes(4, "little") + message


def _series(series: Series) -> bytes:
    labels = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in sorted(series.labels.items())
    )
    return labels + _samples(series.milliseconds, series.bits)


def _samples(milliseconds: npt.NDArray[np.int64], bits: npt.NDArray[np.uint64]) -> bytes:
    samples = np.zeros(milliseconds.size, _SAMPLE)
    samples["tag"], samples["size"], samples["value_tag"], samples["time_tag"] = 0x12, _SAMPLE.itemsize - 2, 0x09, 0x10
    samples["value"] = bits
    for place in range(6):
        samples["time"][:, place] = (milliseconds >> (7 * place) & 0x7F) | (0x80 if place < 5 else 0)
    return samples.tobytes()


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
