"""What a plan may be, as a JSON Schema: published as docs/schema/merge-plan.schema.json."""

from __future__ import annotations

from typing import Any

from audit.batch._names import MOST_TAGS
from audit.batch._reading import VERSION


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a plan, whole or short; what it allows, `read_plan` may still refuse."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"fleet-audit merge plan, version {VERSION}",
        "oneOf": [{"$ref": "#/$defs/plan"}, {"$ref": "#/$defs/short"}],
        "$defs": _definitions(),
    }


def _definitions() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    options = {
        "attest": {"enum": ["keep", "drop", "require"], "description": "What becomes of attestations; keep"},
        "orphans": {"enum": ["refuse", "drop"], "description": "Of an attestation whose image is not there; refuse"},
        "annotations": {
            "anyOf": [text, {"type": "array", "items": text}],
            "description": "[index:]KEY=VALUE, or manifest-descriptor[PLATFORM]:KEY=VALUE",
        },
        "prefer_index": {"type": "boolean", "description": "A single flat source becomes an index of one; true"},
    }
    repository = {**text, "description": "A repository that names without slash, colon and @ are tags of"}
    source = {
        "anyOf": [
            {**text, "description": "REF or REF=PLATFORM"},
            {
                "type": "object", "required": ["image"], "additionalProperties": False,
                "properties": {
                    "image": text,
                    "platform": {**text, "description": "OS/ARCHITECTURE[/VARIANT]"},
                    "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$"},
                },
            },
        ]
    }  # fmt: skip
    tags = {"anyOf": [text, {"type": "array", "items": text, "minItems": 1}]}
    some = {
        "anyOf": [{"$ref": "#/$defs/source"}, {"type": "array", "items": {"$ref": "#/$defs/source"}, "minItems": 1}]
    }
    return {
        "source": source,
        "sources": some,
        "short": {
            "type": "object", "minProperties": 1, "description": "TAG: [SOURCE, …]",
            "propertyNames": {"not": {"enum": ["version", "merges", "defaults"]}},
            "additionalProperties": {"$ref": "#/$defs/sources"},
        },
        "merge": {
            "type": "object", "additionalProperties": False,
            "properties": {
                "tags": tags, "tag": tags, "sources": {"$ref": "#/$defs/sources"},
                "source": {"$ref": "#/$defs/sources"}, **options,
            },
            "allOf": [
                {"oneOf": [{"required": ["tags"]}, {"required": ["tag"]}]},
                {"oneOf": [{"required": ["sources"]}, {"required": ["source"]}]},
            ],
        },
        "plan": {
            "type": "object", "required": ["merges"], "additionalProperties": False,
            "properties": {
                "version": {"const": 1},
                "defaults": {
                    "type": "object", "additionalProperties": False,
                    "properties": {"target": repository, "staging": repository, **options},
                },
                "merges": {
                    "anyOf": [
                        {
                            "type": "array", "items": {"$ref": "#/$defs/merge"}, "minItems": 1,
                            "maxItems": MOST_TAGS,
                        },
                        {"$ref": "#/$defs/short"},
                    ]
                },
            },
        },
    }  # fmt: skip
