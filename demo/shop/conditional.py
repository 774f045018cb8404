"""Conditional requests: entity tags made of the content, and whether a client's field names one."""

import hashlib
from typing import Annotated

from fastapi import Header

IfMatch = Annotated[str | None, Header(max_length=200)]
IfNoneMatch = Annotated[str | None, Header(max_length=200)]


def entity_tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def names(field: str | None, tag: str) -> bool:
    """Whether a field of entity tags has this one, be it weak, or is the star."""
    return field is not None and (field.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in field.split(",")))
