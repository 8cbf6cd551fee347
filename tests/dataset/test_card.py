"""What source files and corpora say stands in the card as text: no markup, no key of its front matter."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ieat_data.cli.build import make_plan
from ieat_data.data.features import CORPUS_RATE, CORPUS_RATE_SCHEMA, RATE, SAMPLE_SCHEMA, card_features
from ieat_data.dataset import card
from ieat_data.paths import shipped
from ieat_data.stages import STAGES
from tests.support import corpora
from tests.support.hostile import HOSTILE
from tests.support.in_process import build_here

MARKUP = [
    *HOSTILE[:-1],  # a lone surrogate is no YAML
    "| a | b |\n|---|---|",
    "---\nlicense: mit\nconfigs: []\n---",
    "CC0\n\n# A heading\n\n![x](https://example.org/pixel.png)",
    "[click](javascript:alert(1))",
    "`code` *bold* _it_ ~~gone~~ $x$",
    "<a href='x' onclick='y'>see</a> & so on",
    "\r\n---\r\n",
]


PLACES = ["name", "licence", "terms", "homepage", "emotion", "model", "model_licence"]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)


def read(text: str) -> tuple[dict[str, Any], str]:
    """Return front matter and text, as the hub splits a card."""
    found = re.match(r"^(---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\r|\n|$))", text)
    assert found
    return yaml.safe_load(found[2]), text[found.end() :]


def manifest(**said: Any) -> dict[str, Any]:
    source = {"name": "s", "licence": "CC0", "terms": "none", "homepage": "there", "non_commercial": False} | {
        k: v for k, v in said.items() if k in ("licence", "terms", "homepage")
    }
    model = {"name": said.get("model", "m"), "origin": ["o"], "licence": said.get("model_licence", "MIT")}
    return {
        "name": said.get("name", "n"),
        "counts": {"language": {"en": 1}, "emotion": {said.get("emotion", "sad"): 1}},
        "configs": {"stage1_1": {"rows": 1, "audio_s": 1.0, "language": {"en": 1}, "n_turns": {"1": 1}}},
        "shards": [{"config": "stage1_1", "path": "data/stage1_1/s-0.parquet", "bytes": 10, "sha256": "0" * 64}],
        "content_digest": "1" * 64,
        "rows": 1,
        "grades": {},
        "engines": {"asr": {"engine": "whisper", "models": [model], "uses": {}}},
        "review": {"instructions": {"accepted": 0, "edited": 0, "rejected": 0}, "samples": {"rejected": 0}},
        "sources": [source],
        "non_commercial": False,
    }


SAFE = card.render(manifest())


@pytest.mark.parametrize("text", MARKUP)
@pytest.mark.parametrize("place", PLACES)
def test_a_hostile_text_changes_nothing_of_the_card_but_itself(place: str, text: str) -> None:
    _unchanged(place, text)


@settings(deadline=None)  # a busy machine is no fault of the card
@given(st.sampled_from(PLACES), st.text())
def test_no_text_does(place: str, text: str) -> None:
    _unchanged(place, text)


def _unchanged(place: str, text: str) -> None:
    head, body = read(card.render(manifest(**{place: text})))
    safe_head, safe_body = read(SAFE)
    assert {k: v for k, v in head.items() if k != "pretty_name"} == {
        k: v for k, v in safe_head.items() if k != "pretty_name"
    }
    lines, safe_lines = body.splitlines(), safe_body.splitlines()
    assert len(lines) == len(safe_lines)
    (changed,) = [a for a, b in zip(lines, safe_lines, strict=True) if a != b] or [safe_lines[0]]
    own = changed.removeprefix("# IEAT")
    assert own.count("|") == next((b for a, b in zip(lines, safe_lines, strict=True) if a == changed), "").count("|")
    assert not re.search(r"[<>`*\[\]!#~$](?!\d+;)", own.replace("&#", ""))
    parser = _Tags()
    parser.feed(body)
    assert parser.tags == []


@pytest.mark.long
def test_the_card_of_a_build_of_a_hostile_source_file_is_read_as_its_configs_alone(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 2)
    text = "\n".join(MARKUP)
    for path in (tmp_path / "sources").glob("*.yaml"):
        source = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump(source | {"licence": text, "terms": text}, allow_unicode=True))
    out = tmp_path / "out"
    built = build_here(make_plan(made.pipeline, made.profile, out, None, [], None), out)
    head, body = read((out / "README.md").read_text())
    assert [c["config_name"] for c in head["configs"]] == list(built["configs"])
    assert set(head) == set(read(SAFE)[0])
    assert "<script" not in body
    assert not re.search(r"^#+ A heading", body, re.M)


def test_the_columns_stand_in_the_card_as_datasets_itself_would_write_them() -> None:
    datasets = pytest.importorskip("datasets")

    for schema, rate in ((SAMPLE_SCHEMA, RATE), (CORPUS_RATE_SCHEMA, None)):
        theirs = datasets.Features.from_arrow_schema(schema)
        assert card_features(schema, rate) == theirs._to_yaml_list()
        assert theirs["audios"].feature.sampling_rate == rate


def test_a_user_who_names_no_config_gets_one(tmp_path: Path) -> None:
    head, _ = read(card.render(manifest()))
    assert [c.get("default") for c in head["configs"]] == [True]
    assert head["dataset_info"][0]["splits"] == [{"name": "train", "num_bytes": 10, "num_examples": 1}]


def rows_below(body: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its own two lines."""
    section = body.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_source_stands_there_with_its_terms_and_its_mark() -> None:
    made = manifest()
    made["sources"] = [
        {"name": "a", "licence": "CC-BY-NC-4.0", "terms": "accept them", "homepage": "x/a", "non_commercial": True},
        {"name": "b", "licence": "MIT", "terms": "none", "homepage": "x/b", "non_commercial": False},
    ]
    made["non_commercial"] = True
    _, body = read(card.render(made))
    assert rows_below(body, "Sources") == [
        ["a", "CC-BY-NC-4.0", "accept them", "**non-commercial use only**", "x/a"],
        ["b", "MIT", "none", "not marked", "x/b"],
    ]
    assert "**non-commercial** use only" in body.partition("\n## ")[0]
    assert "non-commercial" not in read(SAFE)[1].partition("\n## ")[0]


def test_every_model_stands_there_once_with_the_roles_that_it_played() -> None:
    llm = {"name": "q", "origin": ["pypi a==1", "pypi b==2"], "licence": "Apache-2.0", "upstream": "Q/q"}
    made = manifest()
    made["engines"] = {
        "llm": {"engine": "llamacpp", "models": [llm], "uses": {}},
        "ser": {
            "engine": "rules",
            "models": [],
            "uses": {"judge": {"engine": "llamacpp", "models": [llm], "uses": {}}},
        },
        "tts": {"engine": "openai", "models": [], "settings": {"model": "CosyVoice2"}, "uses": {}},
        "codec": {"engine": "none", "models": [], "uses": {}},
    }
    _, body = read(card.render(made))
    assert rows_below(body, "Models") == [
        ["llm, judge", "llamacpp", "q", "pypi a==1 and 1 more", "Q/q", "Apache-2.0"],
        ["tts", "openai", "CosyVoice2", "not stated", "not stated", "not stated"],
    ]
    assert "`speech&#95;tokens` are null" in body or "`speech_tokens` are null" in body


def test_what_was_made_to_try_the_software_is_never_called_training_data() -> None:
    made = json.loads((shipped() / "manifests" / "sample.json").read_text())
    _, body = read(card.render(made))
    assert "**This is no training data**" in body.partition("\n## ")[0]
    assert not re.search(r"(?<!no )training data", body, re.I)
    made["grades"] = {}
    assert "no training data" not in card.render(made)


def test_the_code_in_the_card_masks_what_was_injected() -> None:
    made = json.loads((shipped() / "manifests" / "sample.json").read_text())
    _, body = read(card.render(made))
    code = body.partition("## What was injected")[2].partition("```python\n")[2].partition("```")[0]
    spans = [{"start": 0, "end": 3, "origin": "injected"}, {"start": 3, "end": 6, "origin": "model"}]
    row = {"messages": [{"think": "abcdef", "think_spans": spans, "train": True}, {"think": None, "think_spans": None}]}
    kept: dict[str, bool] = {}
    exec(code.replace("  # else mask it", "; kept[text] = loss"), {"row": row, "kept": kept})
    assert kept == {"abc": False, "def": True}
    assert "injected" not in SAFE  # a config without thoughts


def test_the_card_says_what_verify_and_digest_print() -> None:
    assert "*sound, 1 samples in 1 shards*" in SAFE and f"`{'1' * 64}`" in SAFE


@pytest.mark.parametrize(("rows", "size"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (2_000_000, "1M<n<10M")])
def test_the_hub_s_name_for_a_size(rows: int, size: str) -> None:
    made = manifest()
    made["configs"]["stage1_1"]["rows"] = rows
    assert read(card.render(made))[0]["size_categories"] == [size]


def test_the_card_knows_which_stages_keep_their_corpus_s_rate() -> None:
    assert {name for name, stage in STAGES.items() if stage.schema is CORPUS_RATE_SCHEMA} == CORPUS_RATE
