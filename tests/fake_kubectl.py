"""A `kubectl` for scripts under test: what one VirtualService and one Job need, on the files of the folder `$MESH`.

`python fake_kubectl.py --namespace N get|patch KIND NAME …`. A file `after-N.json` in the folder is a request to make
once the canary's weight is N, as Alertmanager would: `url`, `headers` and `body`. A file `edit-once` has somebody label
the VirtualService behind the next read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import jsonpatch
import yaml

READ = {
    "jsonpath={.metadata.resourceVersion}": lambda body: body["metadata"]["resourceVersion"],
    "jsonpath={.spec.http[0].route[1].weight}": lambda body: body["spec"]["http"][0]["route"][1].get("weight", ""),
    "jsonpath={.metadata.annotations.approved-by}": lambda body: body["metadata"]["annotations"].get("approved-by", ""),
}


def main() -> None:
    """Answer one command."""
    parser = argparse.ArgumentParser()
    for flag in ("--namespace", "--output", "--type", "--patch"):
        parser.add_argument(flag)
    for word in ("verb", "kind", "name"):
        parser.add_argument(word)
    given = parser.parse_intermixed_args()
    folder = Path(os.environ["MESH"])
    path = folder / f"{given.kind}-{given.namespace}-{given.name}.yaml"
    if given.verb == "get":
        print(READ[given.output](_read(path)), end="")
        if "resourceVersion" in given.output:
            _edit_once(folder, path)
    else:
        assert (given.verb, given.type) == ("patch", "json"), given
        _patch(folder, path, json.loads(given.patch))


def _read(path: Path) -> Any:
    body = yaml.safe_load(path.read_text())
    body["metadata"]["resourceVersion"] = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return body


def _patch(folder: Path, path: Path, operations: Any) -> None:
    try:
        body = jsonpatch.apply_patch(_read(path), operations)
    except jsonpatch.JsonPatchException as error:
        sys.exit(f"The request is invalid: {error}")
    del body["metadata"]["resourceVersion"]
    path.write_text(yaml.safe_dump(body, sort_keys=False))
    entry = body["spec"]["http"][0]
    weight = entry["route"][1]["weight"]
    with (folder / "story.log").open("a") as story:
        story.write(f"{entry.get('mirrorPercentage', {}).get('value', 0)} {weight}\n")
    path = folder / f"after-{weight}.json"
    if path.exists():
        import urllib.request  # seldom needed, and it takes its time

        told = json.loads(path.read_text())
        request = urllib.request.Request(told["url"], json.dumps(told["body"]).encode(), told["headers"])
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()


def _edit_once(folder: Path, path: Path) -> None:
    request = folder / "edit-once"
    if request.exists():
        request.unlink()
        body = yaml.safe_load(path.read_text())
        body["metadata"]["labels"] = {"team": "shop"}
        path.write_text(yaml.safe_dump(body, sort_keys=False))


if __name__ == "__main__":
    main()
