"""The pages "your first …" are true: their blocks as they stand there, on an installed wheel, outside the checkout."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.wheel import ROOT, Installed, install

pytestmark = pytest.mark.long

PAGES = sorted((ROOT / "docs" / "extend").glob("your-first-*.md"))
pytestmark = pytest.mark.long
_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.M | re.S)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(tmp_path_factory.mktemp("wheel"))


def plain(text: str) -> str:
    """Without colours, and runs of spaces as one: tables are told by their cells."""
    return re.sub(r"[^\S\n]+", " ", re.sub(r"\x1b\[[0-9;]*m", "", text))


def check_console(block: str, folder: Path, installed: Installed) -> None:
    """Run what follows `$`; the lines after it stand in what is printed, in this order."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, *expected = part.splitlines()
        done = installed.run(command, folder, COLUMNS="160")  # tables as a wide terminal shows them
        said = plain(done.stdout + done.stderr)
        assert done.returncode == 0, f"{command}\n{said}"
        at = 0
        for line in filter(None, (plain(e).strip() for e in expected)):
            at = said.find(line, at)
            assert at >= 0, f"{command}: {line!r} is not (or not in this place) in:\n{said}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page_is_true(page: Path, tmp_path: Path, installed: Installed) -> None:
    consoles = 0
    for language, title, block in _BLOCK.findall(page.read_text("utf-8")):
        if title:
            path = tmp_path / title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block, encoding="utf-8")
        elif language == "console":
            check_console(block, tmp_path, installed)
            consoles += 1
    assert consoles, "the page shows no result"


def test_there_is_a_page_for_each_extension_point() -> None:
    assert {p.stem.removeprefix("your-first-") for p in PAGES} == {"reader", "stage", "check", "engine", "exporter"}
    index = (ROOT / "docs" / "extend" / "index.md").read_text("utf-8")
    assert all(f"]({p.name})" in index for p in PAGES)


def test_the_wheel_runs_and_not_the_checkout(tmp_path: Path, installed: Installed) -> None:
    done = installed.run("python -c 'import ieat_data; print(ieat_data.__file__)'", tmp_path)
    assert done.stdout.startswith(str(installed.folder))


def test_a_package_s_entry_point_is_found_by_its_short_name(tmp_path: Path, installed: Installed) -> None:
    """What `pip install` leaves of a package: a module, and its metadata."""
    page = (ROOT / "docs" / "extend" / "your-first-reader.md").read_text("utf-8")
    blocks = {title: block for _, title, block in _BLOCK.findall(page)}
    site = next((installed.folder / "lib").glob("python*")) / "site-packages"
    (site / "csv_for_ieat.py").write_text(blocks["my_reader.py"])
    about = site / "csv_for_ieat-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: csv-for-ieat\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[ieat.readers]\ncsv = csv_for_ieat:CsvReader\n")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "questions.csv").write_text(blocks["corpus/questions.csv"])
    source = blocks["manifests/sources/questions.yaml"].replace("my_reader:CsvReader", "csv")
    (tmp_path / "mine.yaml").write_text(source.replace("root: corpus", "root: ./corpus"))
    done = installed.run("ieat ingest ./mine.yaml --out out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "writing_task: 1" in done.stdout
    (tmp_path / "mine.yaml").write_text(source.replace("csv\n", "cvs\n"))
    done = installed.run("ieat ingest ./mine.yaml --out out", tmp_path)
    assert done.returncode == 2 and "(did you mean 'csv'?)" in done.stderr


def test_people_s_decisions_never_go_into_the_package(tmp_path: Path, installed: Installed) -> None:
    """`ieat review` of what the package ships writes into the working directory, or into the project."""
    code = (
        "from pathlib import Path; from ieat_data.cli.review import open_session; "
        "print(open_session(Path('prompts/instructions'), None, None).store.folder)"
    )
    assert installed.run(f'python -c "{code}"', tmp_path).stdout.strip() == str(tmp_path / "decisions")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "ieat.toml").write_text('name = "mine"\n')
    done = installed.run(f'python -c "{code}"', tmp_path, IEAT_PROJECT=str(mine))
    assert done.stdout.strip() == str(mine / "decisions"), done.stderr
