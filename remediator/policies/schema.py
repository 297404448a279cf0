"""The JSON Schema of a policy document (draft 2020-12), for editors and CI."""

from __future__ import annotations

from typing import Any

from remediator.policies.document import PolicyDocument

ID = "https://remediator.io/schemas/v1alpha1/remediationpolicy.json"
"""The schema's name; nothing is served there."""


def json_schema() -> dict[str, Any]:
    """The schema of one document. It knows keys, types, words and patterns; `check` knows more, such as matchers."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        **PolicyDocument.model_json_schema(by_alias=True),
        "title": "RemediationPolicy",
    }
