"""`Encoder`: what carries a label is what the exports say, for each option."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import ieat_data
from ieat_data.errors import UserError
from tests.dataset.export.dialogues import NATIVE, WRITTEN, reply, sample, user
from tests.loading.tokens import Processor, Tokenizer


def labelled(encoder: ieat_data.Encoder, *messages: dict[str, Any], **about: Any) -> list[str]:
    """What carries a label in each row of a sample; parts that are apart are divided by |."""
    rows = []
    for made in encoder(sample(*messages, **about)):
        text = ""
        assert len(made.labels) == len(made.input_ids)
        for token, label in zip(made.input_ids, made.labels, strict=True):
            assert label in (-100, token)
            text += "|" if label == -100 and text[-1:] not in ("", "|") else ""
            text += "" if label == -100 else Tokenizer().text([label])
        rows.append(text.strip("|"))
    return rows


THREE = (user(0), reply(0, False, WRITTEN), user(1), reply(1, True, NATIVE), user(2), reply(2, True, WRITTEN))
OWN = "<think>\nOkay, they said so.| The mug was hers.\n</think>\n\nAnswer 1.<|im_end|>"
GIVEN = " The mug was hers.\n</think>\n\nAnswer 2.<|im_end|>"


def test_the_injected_part_and_other_turns_carry_no_label() -> None:
    assert labelled(ieat_data.Encoder(Processor()), *THREE) == [f"{OWN}|{GIVEN}"]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"turns": "last"}, [GIVEN]),
        ({"turns": "each"}, [OWN, GIVEN]),
        (
            {"turns": "last", "injected": "train"},
            ["<think>\nOkay, they said so. They sound sad. The mug was hers.\n</think>\n\nAnswer 2.<|im_end|>"],
        ),
        ({"turns": "last", "injected": "drop"}, ["<think>\nThe mug was hers.\n</think>\n\nAnswer 2.<|im_end|>"]),
        ({"turns": "last", "think": "none"}, ["Answer 2.<|im_end|>"]),
    ],
)
def test_each_option_of_the_exports_holds(options: dict[str, Any], rows: list[str]) -> None:
    assert labelled(ieat_data.Encoder(Processor(), **options), *THREE) == rows


def test_a_history_s_thoughts_are_kept_or_stripped() -> None:
    kept, stripped = (
        Tokenizer().text(ieat_data.Encoder(Processor(), turns="last", history_think=h)(sample(*THREE))[0].input_ids)
        for h in ("keep", "strip")
    )
    assert kept.count("<think>") == 3 and stripped.count("<think>") == 1


def test_clips_stand_at_their_turns() -> None:
    (row,) = ieat_data.Encoder(Processor(), system="")(sample(*THREE))
    text = Tokenizer().text(row.input_ids)
    clip = "<|im_start|>user\n<|audio_bos|><|AUDIO|><|AUDIO|><|AUDIO|><|audio_eos|><|im_end|>\n<|im_start|>assistant\n"
    assert text.startswith(clip) and text.count(clip) == 3
    assert [c["input_features"].tolist() for c in row.clips] == [[[800]]] * 3, "0.1 s at the extractor's 8 kHz"


def test_a_tokenizer_alone_gives_samples_and_a_token_for_each() -> None:
    (row,) = ieat_data.Encoder(Tokenizer(), audio_token="<|AUDIO|>")(sample(*THREE))
    assert Tokenizer().text(row.input_ids).count("<|im_start|>user\n<|AUDIO|><|im_end|>") == 3
    assert [(len(c), c.dtype) for c in row.clips] == [(1600, np.float32)] * 3


def test_what_cannot_be_trained_is_left_out_and_counted() -> None:
    encoder = ieat_data.Encoder(Processor(), max_audio_s=1.0, max_tokens=120)
    assert labelled(encoder, user(0), reply(0, False)) == []
    assert labelled(encoder, user(0), {**reply(0, True), "content": "<|AUDIO|>"}) == []
    assert labelled(encoder, user(0), reply(0, True), seconds=1.5) == []
    assert labelled(encoder, user(0), {**reply(0, True), "content": "so " * 99}) == []
    assert encoder.left_out == {"nothing_trained": 1, "target_tag": 1, "audio_too_long": 1, "too_many_tokens": 1}


def test_a_token_of_one_s_own_is_a_control_string() -> None:
    encoder = ieat_data.Encoder(Tokenizer(("<|im_end|>", "<sound>")), audio_token="<sound>")
    assert encoder(sample(user(0), {**reply(0, True), "content": "a <sound> of its own"})) == []
    assert encoder.left_out == {"target_tag": 1}


@pytest.mark.parametrize(
    ("processor", "options", "line"),
    [
        (Tokenizer(), {}, "a tokenizer alone would train on text without sound"),
        (Tokenizer(), {"audio_token": "<sound>"}, "audio_token='<sound>' is not one token"),
        (Tokenizer(("<end>",)), {}, r"<\|im_end\|> is not one token of this tokenizer: descriptor='qwen3'"),
        (Processor(), {"descriptor": "qwen33"}, "qwen33"),
        (Processor(), {"turns": "al"}, "Encoder: turns"),
        (Processor(), {"history_think": "strip"}, "take turns=each"),
        (Processor(), {"think": "field"}, "Encoder: think"),
    ],
)
def test_a_wrong_option_is_one_line(processor: Any, options: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=line) as told:
        ieat_data.Encoder(processor, **options)
    assert "\n" not in str(told.value)


def test_an_encoder_goes_to_another_process() -> None:
    encoder = ieat_data.Encoder(Processor(), turns="each")
    assert len(pickle.loads(pickle.dumps(encoder))(sample(*THREE))) == 2


def test_an_encoder_names_the_columns_that_it_needs(tmp_path: Any) -> None:
    whole = sample(*THREE)
    few = {c: whole[c] for c in ieat_data.Encoder.columns}
    encoder = ieat_data.Encoder(Tokenizer(), audio_token="<|AUDIO|>", turns="each")
    assert [m.input_ids for m in encoder(few)] == [m.input_ids for m in encoder(whole)]
