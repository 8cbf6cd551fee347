"""Values as JavaScript: inert in a script file and inside a script element, and the same when read again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ieat_data.apps.web import js
from tests.support.hostile import HOSTILE


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert(text: str) -> None:
    written = js({"a": [text]})
    assert not set(written) & set("<>&\u2028\u2029")
    assert json.loads(written) == {"a": [text]}
    written.encode()  # a lone surrogate, too, can be written to a file


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_read_again(text: str) -> None:
    assert json.loads(js(text).encode()) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_javascript_lacks_is_refused(value: float) -> None:
    with pytest.raises(ValueError):
        js(value)
