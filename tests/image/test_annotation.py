"""Annotations as they are written on a command line."""

from __future__ import annotations

import pytest

from audit.errors import UsageError
from audit.image.annotation import Annotation


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a=b", ["index:a=b"]),
        ("index:a=b", ["index:a=b"]),
        ("a=", ["index:a="]),
        ("a=b=c:d", ["index:a=b=c:d"]),
        ("manifest-descriptor:a=b", ["manifest-descriptor:a=b"]),
        ("manifest-descriptor[linux/arm64/v8]:a=b", ["manifest-descriptor[linux/arm64]:a=b"]),
        ("manifest-descriptor[windows(10.0.1)/amd64]:a=b", ["manifest-descriptor[windows(10.0.1)/amd64]:a=b"]),
        ("index,manifest-descriptor:a=b", ["index:a=b", "manifest-descriptor:a=b"]),
    ],
)
def test_what_is_read(text: str, read: list[str]) -> None:
    """Each place is an annotation of its own; written again it is as buildx takes it, and reads the same."""
    found = Annotation.parse(text)
    assert [str(one) for one in found] == read
    assert tuple(one for written in read for one in Annotation.parse(written)) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a", "write KEY=VALUE"),
        ("=b", "write KEY=VALUE"),
        ("index:=b", "write KEY=VALUE"),
        ("manifest:a=b", "manifest is no place for one here: that would change the image"),
        ("manifest[linux/amd64]:a=b", "manifest is no place for one here"),
        ("index-descriptor:a=b", "nothing describes a merged index"),
        ("index[linux/amd64]:a=b", "before the colon stands index, or manifest-descriptor with a platform"),
        ("nowhere:a=b", "before the colon stands index"),
        ("manifest-descriptor[amd65]:a=b", "'amd65' is no platform"),
        ("manifest-descriptor[]:a=b", "before the colon stands index"),
        ("index,:a=b", "before the colon stands index"),
    ],
)
def test_what_is_none(text: str, says: str) -> None:
    """A place where a merge cannot put one, or no annotation at all, is wrong usage."""
    with pytest.raises(UsageError, match=says):
        Annotation.parse(text)
