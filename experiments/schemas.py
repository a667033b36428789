"""What a file must hold, as a JSON schema, and what is wrong with one, in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError


def exact_object(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has exactly these fields."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


class Checker:
    """Compares values that were read from JSON with a schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._validator = Draft202012Validator(dict(schema))

    def complaint(self, fields: Any) -> str | None:
        """Return the place of the first error and what it is, None where there is none."""
        if self._validator.is_valid(fields):
            return None
        place, message = min(map(_describe, self._validator.iter_errors(fields)))
        return f"{place}: {message}"


def _describe(error: ValidationError) -> tuple[str, str]:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    return "".join(steps).removeprefix(".") or "$", error.message
