"""CustomResourceDefinitions: Istio's, read from the files that lie beside the repository, and ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.processes import Missing

Json = dict[str, Any]

OURS = Path(__file__).parents[1] / "chart" / "crds"
DATA = Path(__file__).parents[1].parent / "shared" / "data"
CRDS = DATA / "crds"
ISTIO = CRDS / "istio.yaml"
"""VirtualService as v1, v1beta1 and v1alpha3."""
ISTIO_WITHOUT_V1 = CRDS / "istio-1.21.yaml"
"""The last release that served v1beta1 and v1alpha3 only."""
OPERATOR = "prometheus-operator-{}.yaml"
"""In `CRDS`, by the plural name: prometheus-operator's."""


class CrdLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Takes a bare `=`, which YAML 1.1 gives a tag of its own, for the text that it is in AlertmanagerConfig's CRD."""


CrdLoader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: node.value)


def crds(path: Path, *plurals: str) -> list[Json]:
    """The CustomResourceDefinitions in `path` with one of these plural names. Raises Missing."""
    if not path.exists():
        raise Missing(f"{path.name} is not there; it belongs in {path.parent}")
    # Only the documents that are wanted are parsed: the file is large, and PyYAML slow.
    texts = path.read_text().split("\n---\n")
    wanted = [text for text in texts if any(f"\n    plural: {plural}\n" in text for plural in plurals)]
    return [_for_old_servers(yaml.load(text, CrdLoader)) for text in wanted]


def our_crd(plural: str = "remediations") -> Json:
    """The CustomResourceDefinition of Remediation, or of the kind with another plural."""
    definition: Json = yaml.safe_load((OURS / f"{plural}.yaml").read_text(encoding="utf-8"))
    return definition


def our_crds() -> list[Json]:
    """Every CustomResourceDefinition of ours."""
    return [our_crd(path.stem) for path in sorted(OURS.glob("*.yaml"))]


def _for_old_servers(schema: Any) -> Any:
    """Without what servers before 1.23 refuse: `x-kubernetes-validations`, and an empty text as a default, also where
    the key of a list has it."""
    if isinstance(schema, dict):
        refused = {"x-kubernetes-validations"}
        keys = schema.get("x-kubernetes-list-map-keys", ())
        if any(schema["items"]["properties"][key].get("default") == "" for key in keys):
            refused |= {"x-kubernetes-list-map-keys", "x-kubernetes-list-type"}
        kept = ((key, value) for key, value in schema.items() if key not in refused)
        return {key: _for_old_servers(value) for key, value in kept if (key, value) != ("default", "")}
    return [_for_old_servers(item) for item in schema] if isinstance(schema, list) else schema
