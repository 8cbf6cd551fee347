"""`ieat diff A B --page`: what the page's files hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ieat_data.apps.diff.page import write
from ieat_data.cli import app
from ieat_data.errors import UserError
from ieat_data.paths import prompts_dir
from ieat_data.prompting import kept
from ieat_data.storage.open import at
from tests.apps.diff.two import edit, two


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    return two(tmp_path)


def data(page: Path, name: str) -> Any:
    text = (page / "data" / name).read_text(encoding="utf-8")
    return json.loads(text[text.index(",") + 1 : text.rindex(")")])


def test_the_page_has_each_sample_that_differs_with_both_clips(both: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "page"
    done = CliRunner().invoke(app, ["diff", *map(str, both), "--page", str(page)])
    assert done.exit_code == 1 and f"{page / 'index.html'}: 6 samples that differ" in done.output
    listed = [one["kind"] for one in data(page, "compared.js")["listed"]]
    assert listed == ["changed"] * 4 + ["only_a"] * 2
    first, *_, last = data(page, "pairs-0.js")
    urls = [first[side]["audios"][0]["url"] for side in ("a", "b")]
    assert all((page / url).stat().st_size > 3 * 16_000 for url in urls)
    assert last["b"] is None and last["a"]["audios"][0]["url"]
    text = [first[side]["messages"][0]["transcript"] for side in ("a", "b")]
    places = first["marks"][0]["text"]
    assert [text[i][slice(*places[i][0])] for i in (0, 1)] == ["keys", "umbrella"]
    assert {one["at"] for one in first["differs"]} == {"provenance.utterances.0.key"} | (
        {"language"} if first["b"]["language"] == "zh" else set()
    )


def test_only_some_of_many_are_taken(both: tuple[Path, Path], tmp_path: Path) -> None:
    said = write(*both, tmp_path / "page", n=1)
    assert [one["kind"] for one in said["listed"]] == ["changed", "only_a"]
    assert said["samples"] == {"same": 2, "changed": 4, "only_a": 2, "only_b": 0}
    again = write(*both, tmp_path / "page", n=0)
    assert again["listed"] == [] and not list((tmp_path / "page").glob("data/pairs-*"))


def test_two_manifests_are_compared_without_samples(both: tuple[Path, Path], tmp_path: Path) -> None:
    said = write(both[0], both[1] / "manifest.json", tmp_path / "whole", n=5)
    assert len(said["listed"]) == 6, "a manifest in its folder leads to the shards"
    for shard in (both[1] / "data").rglob("*.parquet"):
        shard.unlink()
    said = write(*both, tmp_path / "page", n=5)
    assert said["samples"] is None and said["listed"] == []
    assert said["rejects"][0]["says"] == "A number was spoken."


def test_prompts_are_compared_line_by_line_as_they_were(
    both: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side, text in zip(both, ("Be kind.\nOne sentence.\n", "Be kind.\nTwo sentences.\n"), strict=True):
        project = tmp_path / f"project-{side.name}"
        (project / "prompts").mkdir(parents=True)
        (project / "prompts" / "mine.yaml").write_text(text)
        (project / "ieat.toml").write_text("")
        monkeypatch.chdir(project)
        kept.keep(at(side / ".work"))
        kept.keep(at(side / ".work"))  # a second build with the same prompts keeps nothing more
        assert len(list((side / ".work" / "prompts").iterdir())) == 1
        edit(side, prompts={"mine.yaml": hashlib.sha256(text.encode()).hexdigest()})
    monkeypatch.chdir(tmp_path)
    assert not (prompts_dir() / "mine.yaml").exists()
    (one,) = write(*both, tmp_path / "page", n=0)["prompts"]
    assert one["lines"] == ["@@ -1,2 +1,2 @@", " Be kind.", "-One sentence.", "+Two sentences."]
    (next((both[0] / ".work" / "prompts").iterdir())).write_bytes(b"damaged")
    assert write(*both, tmp_path / "page", n=0)["prompts"][0]["lines"] is None


def test_what_is_no_such_page_stays(both: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match="something other than a page of ieat diff: name a new folder with --page"):
        write(*both, both[0], n=1)
    assert (both[0] / "manifest.json").is_file()
    with pytest.raises(UserError, match="--page goes without --json"):
        raise CliRunner().invoke(app, ["diff", *map(str, both), "--page", "p", "--json"]).exception or AssertionError
