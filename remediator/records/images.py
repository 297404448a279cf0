"""Which images the suspects' pods ran, and how a person or a program names one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remediator.traffic.suspect import Suspect

DIGEST: Final = r"sha256:[0-9a-f]{64}"
_DIGEST: Final = re.compile(rf"(?:[!-?A-~]+@)?({DIGEST})")


@dataclass(frozen=True, slots=True)
class Ran:
    """What one container of a pod runs."""

    container: str
    digest: str | None
    """None: it may go by others than those that are told. It is not pinned by one, or has not started."""


@dataclass(frozen=True, slots=True)
class Image:
    """What one container of a suspect's pods ran."""

    suspect: Suspect
    container: str
    digest: str
    """As a registry knows it, of an image or of an index of images: `sha256:…`."""


@dataclass(frozen=True, slots=True)
class Images:
    """What the suspects' pods ran when they were looked at."""

    at: datetime
    found: tuple[Image, ...] = ()
    complete: bool = True
    """Whether each container of all these pods was pinned by its digest: then any other image is another one."""

    def of(self, suspect: Suspect) -> frozenset[str]:
        """The digests of one suspect; empty: none is known."""
        return frozenset(each.digest for each in self.found if each.suspect == suspect)


def digest_of(text: str) -> str:
    """The digest in `REF@sha256:…` or `sha256:…`.

    Raises:
        ValueError: it names none; a tag is no digest, for it may be moved.

    >>> digest_of("docker.io/shop/reviews:2@sha256:" + "a" * 64) == "sha256:" + "a" * 64
    True
    """
    found = _DIGEST.fullmatch(text)
    if found is None:
        raise ValueError(
            "image: names no digest; give REF@sha256:… or sha256:…, or leave it out, for a tag may be moved"
        )
    return found.group(1)
