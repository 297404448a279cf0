"""From the plain values of one document to a policy, or to every fault in it."""

from __future__ import annotations

import hashlib
import json

from pydantic import ValidationError

from remediator.errors import Fault
from remediator.policies.document import PolicyDocument
from remediator.policies.faults import Form
from remediator.policies.model import Policy
from remediator.policies.strict_yaml import Document

_FORM = Form(
    PolicyDocument,
    {"apiVersion": "this release reads no other version", "kind": "policy files hold no other kind"},
)


def parse_policy(document: Document, file: str) -> Policy | tuple[Fault, ...]:
    """The policy that a document says, or all that is wrong with it."""
    if document.faults:
        return document.faults
    try:
        parsed = PolicyDocument.model_validate(document.value)
    except ValidationError as error:
        return _FORM.faults(error, file, document.number)
    return parsed.value(f"{file}, document {document.number}", _hash(document.value))


def _hash(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
