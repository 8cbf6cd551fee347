"""Words, content and overlap."""

from __future__ import annotations

from ieat_data.checks.words import contains, content, ngrams, overlap, sentences, words


def test_words() -> None:
    assert words("I’ve won 2 games!", "en") == ["i've", "won", "2", "games"]
    assert words("我买了2本Python书。", "zh") == ["我", "买", "了", "2", "本", "python", "书"]


def test_sentences() -> None:
    assert sentences("One. Two!\n三。四") == ["One", "Two", "三", "四"]


def test_ngrams() -> None:
    assert list(ngrams(["a", "b", "c"], 2)) == [("a", "b"), ("b", "c")]
    assert list(ngrams(["a"], 2)) == []


def test_content_leaves_out_what_carries_nothing() -> None:
    assert content("You feel so sad because of that", "en") == set()
    assert overlap("They were playing for money.", ["I played all night."], "en") == {"play"}
    assert overlap("他丢了工作。", ["我今天没工作了。"], "zh") == {"工作"}
    assert overlap("他很难过。", ["我今天被裁员了。"], "zh") == set()


def test_terms_match_whole_words() -> None:
    assert contains("The Kite flew", "kite")
    assert not contains("kites fly", "kite")
    assert contains("我的风筝飞了", "风筝")
