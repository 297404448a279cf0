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


def crds(path: Path, *plurals: str) -> list[Json]:
    """The CustomResourceDefinitions in `path` with one of these plural names. Raises Missing."""
    if not path.exists():
        raise Missing(f"{path.name} is not there; it belongs in {path.parent}")
    # Only the documents that are wanted are parsed: the file is large, and PyYAML slow.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    texts = path.read_text().split("\n---\n")
    wanted = [text for text in texts if any(f"\n    plural: {plural}\n" in text for plural in plurals)]
    return [_without_validations(yaml.load(text, loader)) for text in wanted]


def our_crd(plural: str = "remediations") -> Json:
    """The CustomResourceDefinition of Remediation, or of the kind with another plural."""
    definition: Json = yaml.safe_load((OURS / f"{plural}.yaml").read_text(encoding="utf-8"))
    return definition


def our_crds() -> list[Json]:
    """Every CustomResourceDefinition of ours."""
    return [our_crd(path.stem) for path in sorted(OURS.glob("*.yaml"))]


def _without_validations(schema: Any) -> Any:
    """Without `x-kubernetes-validations`, which servers before 1.23 refuse."""
    if isinstance(schema, dict):
        return {key: _without_validations(value) for key, value in schema.items() if key != "x-kubernetes-validations"}
    return [_without_validations(item) for item in schema] if isinstance(schema, list) else schema
