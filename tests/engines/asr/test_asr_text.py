"""What recognizers write besides words goes; words stay."""

from __future__ import annotations

import pytest

from ieat_data.engines.asr.text import spoken_words


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("<|zh|><|ANGRY|><|Speech|><|withitn|>我生气了", "我生气了"),
        ("🎼I am angry😡", "I am angry"),
        ("[00:00:00.000 --> 00:00:03.000]   Hello there", "Hello there"),
        ("[00:01.000] Hello [00:02.000] there", "Hello there"),
        ("(0:01 - 0:03) Hello", "Hello"),
        ("<1.20s> Hello", "Hello"),
        ("1\n00:00:01,000 --> 00:00:02,000\nHello\n\n2\n00:00:02,000 --> 00:00:03,500\nthere", "Hello there"),
        ("SPEAKER_00: Hello", "Hello"),
        ("Speaker 1: Hello. Speaker 2: Yes.", "Hello. Yes."),
        ("说话人1：你好。发言人 2：你也好。", "你好。你也好。"),
        ("[SPEAKER_01]: Hi", "Hi"),
        (">> Hi there", "Hi there"),
        ("(laughs) That is [MUSIC] fun *sighs*", "That is fun"),
        ("（笑声）我很好【掌声】", "我很好"),
        ("♪ la la ♪ I sing", "I sing"),
        ("[BLANK_AUDIO]", ""),
        ("\ufeffh\u200bi\x00 the\u202ere\ufffd", "hi the re"),
        ("I met her at 9:30, and the score was 3:1.", "I met her at 9:30, and the score was 3:1."),
        ("The speaker said: go home.", "The speaker said: go home."),
        ("她说：“我不去。”", "她说：“我不去。”"),
        ("5 < 6, and it's 20°C", "5 < 6, and it's 20°C"),
    ],
)
def test_only_words_are_left(written: str, words: str) -> None:
    assert spoken_words(written) == words
