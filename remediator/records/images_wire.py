"""The JSON of a record's `status.images`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.records.conditions import without_empty
from remediator.records.images import Image, Images
from remediator.records.times import micro_time, parse_time
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect

Json = dict[str, Any]


def images_json(images: Images) -> Json:
    """What the suspects' pods ran."""
    found = [_image_json(each) for each in images.found]
    return without_empty({"at": micro_time(images.at), "found": found}) | {"complete": images.complete}


def parse_images(found: Mapping[str, Any]) -> Images:
    """Read what the suspects' pods ran. Raises KeyError, TypeError and ValueError."""
    images = tuple(_image(each) for each in found.get("found") or ())
    return Images(parse_time(found["at"]), images, found.get("complete") is True)


def _image_json(image: Image) -> Json:
    suspect = image.suspect
    return without_empty(
        {"host": suspect.host, "version": suspect.version, "container": image.container, "digest": image.digest}
    )


def _image(found: Mapping[str, Any]) -> Image:
    suspect = Suspect(Host(str(found["host"])), str(found["version"]) if found.get("version") else None)
    return Image(suspect, str(found["container"]), str(found["digest"]))
