"""No corpus text becomes a control token, and nothing of it is lost."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ieat_data.engines.base import Segment
from ieat_data.engines.llm.descriptor import TurnTemplate, load_descriptor
from ieat_data.engines.llm.tokenizer import ControlTokenError, Tokenizer
from ieat_data.errors import UserError

from . import tiny

TINY = Tokenizer(tiny.spec(), tiny.descriptor())
STRINGS = load_descriptor("qwen3").control_strings
FRAGMENTS = [s[i:j] for s in STRINGS for i in range(len(s)) for j in (i + 1, i + 3, len(s))]
texts = st.lists(
    st.one_of(
        st.sampled_from(STRINGS),
        st.sampled_from(FRAGMENTS),
        st.text(max_size=8),
        st.sampled_from(["今天", "我很难过。", "I'm sad.", "\n\n", "  ", "🙂👩‍👩‍👧", "é", "\u0338", "\ud800"]),
    ),
    max_size=12,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(texts)
def test_plain_text_never_gives_a_control_token_and_comes_back_whole(text: str) -> None:
    ids = TINY.encode_plain(text)
    assert not any(TINY.is_control(i) for i in ids)
    seen = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    assert TINY.decode(ids) == unicodedata.normalize("NFC", seen)


@settings(max_examples=100, deadline=None)
@given(texts)
def test_control_tokens_of_a_prompt_are_those_of_its_template(text: str) -> None:
    prompt = [Segment("<|im_start|>user\n", control=True), Segment(text), Segment("<|im_end|>\n", control=True)]
    ids = TINY.encode(prompt)
    known = tiny.ids()
    assert [i for i in ids if TINY.is_control(i)] == [known["<|im_start|>"], known["<|im_end|>"]]


def test_control_text_becomes_control_tokens() -> None:
    known = tiny.ids()
    ids = TINY.encode_control("<think>\n\n</think>\n\n")
    assert ids[0] == known["<think>"]
    assert known["</think>"] in ids


def test_control_strings_that_overlap_are_all_cut() -> None:
    # a descriptor whose strings overlap: cutting only the first occurrence would leave the second whole
    strings = ("<a><b>", "<b><c>", *STRINGS)
    tokenizer = Tokenizer(tiny.spec(), tiny.descriptor(control_strings=strings))
    pieces = [m.start() for m in tokenizer._control.finditer("<a><b><c>")]
    assert pieces == [0, 3]


def test_text_without_control_strings_is_encoded_as_the_model_would() -> None:
    text = "The user sounds sad because 他今天被公司裁员了。"
    assert TINY.encode_plain(text) == TINY.encode_control(text)


def test_a_vocabulary_that_holds_a_control_id_as_a_word_is_caught() -> None:
    low = Tokenizer(tiny.spec(), tiny.descriptor(min_control_id=300))
    with pytest.raises(ControlTokenError, match="gave the control token"):
        low.encode_plain("The user sounds sad because they lost their job.")


def test_continuation_is_cut_at_the_close_by_id() -> None:
    close = tiny.ids()["</think>"]
    ids = [*TINY.encode_plain("a reason, </think> in words"), close, *TINY.encode_plain("\n\nan answer")]
    assert TINY.parts(ids) == ("a reason, </think> in words", "\n\nan answer")
    assert TINY.parts([close, close]) == ("", "", "")


def test_marks_of_the_models_own_tokenizer_are_told_of_a_continuation() -> None:
    spec = tiny.spec()
    for i, mark in enumerate(("<|own_call|>", "[TOOL_RESULTS]", "<b>", "   "), 1):  # no list of ours has the first two
        spec["added_tokens"].append({**spec["added_tokens"][-1], "id": 10_000 + i, "content": mark, "special": False})
    tokenizer = Tokenizer(spec, tiny.descriptor())
    assert tokenizer.control_in(("They lost it.", "So <b>sorry</b>.   ")) == ()
    assert tokenizer.control_in(("They <|own_call|> lost it.", "[TOOL_RESULTS]")) == ("<|own_call|>", "[TOOL_RESULTS]")


def test_continuation_is_cut_by_string_where_there_is_no_id() -> None:
    spec = tiny.spec()
    spec["added_tokens"] = [t for t in spec["added_tokens"] if t["special"]]
    tokenizer = Tokenizer(spec, tiny.descriptor(think_close_id=None))
    ids = tokenizer.encode_control("a reason\n</think>\n\nan answer")
    assert tokenizer.parts(ids) == ("a reason\n", "\n\nan answer")


@pytest.mark.parametrize("changes", [{"think_close_id": None}, {"end_of_turn_id": 3}, {"think_close_id": 5}])
def test_a_descriptor_of_another_family_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UserError, match="does not fit"):
        Tokenizer(tiny.spec(), tiny.descriptor(**changes))


def test_a_model_folder_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"needs its tokenizer\.json"):
        Tokenizer.load(tmp_path, tiny.descriptor())
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="is not JSON"):
        Tokenizer.load(tmp_path, tiny.descriptor())
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be loaded"):
        Tokenizer.load(tmp_path, tiny.descriptor())
    (tmp_path / "tokenizer.json").write_text(json.dumps(tiny.spec()), encoding="utf-8")
    loaded = Tokenizer.load(tmp_path, tiny.descriptor())
    assert loaded.encode_plain("sad 难过") == TINY.encode_plain("sad 难过")


def test_a_template_whose_token_the_tokenizer_does_not_know_is_refused() -> None:
    known = tiny.descriptor()
    user = TurnTemplate(open="<|turn_start|>user\n", close="<|im_end|>\n")
    other = {"control_strings": (*known.control_strings, "<|turn_start|>")}
    other |= {"turns": known.turns.model_copy(update={"user": user})}
    with pytest.raises(UserError, match=r"'<\|turn_start\|>' of its template is not a control token of the tokenizer"):
        Tokenizer(tiny.spec(), tiny.descriptor(**other))
