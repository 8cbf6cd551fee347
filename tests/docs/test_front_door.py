"""What a newcomer meets first keeps its word: READMEs, community files, pictures, and every link of the docs."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml
from typer.testing import CliRunner

from ieat_data.cli import app
from ieat_data.data.audio import decode
from tests.support import corpora
from tests.support.doubles import clip_of

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.zh-CN.md")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The ids that the headings of a Markdown page get, on GitHub and on the site alike."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text_of(page), flags=re.S), flags=re.M)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", t.lower())).strip("-") for t in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text_of(page), flags=re.S)
    links = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", prose)
    for link in (a or b for a, b in links):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


@pytest.mark.parametrize("name", READMES)
def test_a_readme_is_short(name: str) -> None:
    assert len(text_of(ROOT / name).splitlines()) <= 120


def test_the_readmes_say_the_same_in_both_languages() -> None:
    """As many sections, the same commands, files and figures."""
    en, zh = (text_of(ROOT / name) for name in READMES)
    assert len(re.findall("^## ", en, flags=re.M)) == len(re.findall("^## ", zh, flags=re.M))
    commands = [set(re.findall(r"(?:`|^ {4})((?:make|ieat) [a-z][a-z0-9-]*)", t, flags=re.M)) for t in (en, zh)]
    assert commands[0] == commands[1]
    assert set(re.findall(r"docs/[\w/.-]+\.md", en)) == set(re.findall(r"docs/[\w/.-]+\.md", zh))


def test_the_make_targets_that_are_named_exist() -> None:
    known = set(re.findall(r"^([a-z0-9-]+):", text_of(ROOT / "Makefile"), flags=re.M))
    for page in (*READMES, "CONTRIBUTING.md"):
        named = re.findall(r"(?:`|^ {4})make ([a-z][a-z0-9-]*)", text_of(ROOT / page), flags=re.M)
        assert len(named) >= 5
        assert set(named) <= known | {"help"}, page


@pytest.mark.long
@pytest.mark.parametrize("name", READMES)
def test_your_own_data_in_five_minutes_works_as_it_is_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command as it stands there, with doubles as the engines of the profile `cpu`."""
    text = text_of(ROOT / name)
    table, commands = re.findall(r"```csv\n(.*?)```\n\n((?: {4}[^\n]*\n)+)", text, flags=re.S)[0]
    (tmp_path / "recordings" / "clips").mkdir(parents=True)
    (tmp_path / "recordings" / "meta.csv").write_text(table, encoding="utf-8")
    for row in csv.DictReader(table.splitlines()):
        samples, rate = decode(clip_of(row["sentence"]))
        soundfile.write(tmp_path / "recordings" / row["file"], samples, rate)
    double = corpora.make(tmp_path / "double").profile
    monkeypatch.chdir(tmp_path)
    for line in commands.splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "cd":
            monkeypatch.chdir(words[1])
            profile = yaml.safe_load(Path(double).read_text()) | {"executor": "auto"}
            Path("pipelines/profiles").mkdir()
            Path("pipelines/profiles/cpu.yaml").write_text(yaml.safe_dump(profile))
            continue
        done = CliRunner().invoke(app, words[1:])
        assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception}"
    assert json.loads(Path("data/my-data/statistics.json").read_text())["rows"] == 2
    assert json.loads(Path("data/try/manifest.json").read_text())["rows"] > 0
    assert Path("report/index.html").is_file()


def test_pictures_are_small() -> None:
    shown = [p for p in (ROOT / "docs" / "images").iterdir() if p.is_file()]
    assert len(shown) >= 5
    assert max(p.stat().st_size for p in shown) < 200_000


def test_forms_and_metadata_are_well_formed() -> None:
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    for form in forms:
        data: Any = yaml.safe_load(text_of(form))
        if form.name != "config.yml":
            assert {"name", "description", "body"} <= set(data), form
            ids = [b["id"] for b in data["body"] if b["type"] != "markdown"]
            assert len(ids) == len(set(ids))
    cited = yaml.safe_load(text_of(ROOT / "CITATION.cff"))
    assert cited["cff-version"] == "1.2.0" and {"title", "message", "authors"} <= set(cited)
    (paper,) = cited["references"]
    for readme in READMES:
        assert paper["title"] in text_of(ROOT / readme)
        assert paper["url"].rpartition("/")[2] in text_of(ROOT / readme)


def test_ci_calls_the_script_that_anybody_can_run() -> None:
    jobs = yaml.safe_load(text_of(ROOT / ".github" / "workflows" / "ci.yml"))["jobs"]
    assert ".ci/run" in [s.get("run") for j in jobs.values() for s in j["steps"]]


def test_the_docs_name_the_digest_of_the_shipped_sample() -> None:
    digest = json.loads(text_of(ROOT / "manifests" / "sample.json"))["content_digest"]
    assert f"`{digest[:16]}…`" in text_of(ROOT / "docs" / "quality.md"), "is what was read still what is built?"
