from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.finished import Finished

OURS = ("ieat_data", "tests", "benchmarks", "evaluation", "scripts")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--without-extras",
        action="store_true",
        help="skip what needs a package that is not installed (make check); without it, that fails",
    )


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip a module that imports a package of an extra that is not installed."""
    report = yield
    if report.failed and collector.config.getoption("--without-extras"):
        missing = [line for line in str(report.longrepr).splitlines() if "ModuleNotFoundError" in line]
        if missing and not any(f"'{name}" in missing[-1] for name in OURS):
            report.outcome = "skipped"
            report.longrepr = (str(collector.path), 0, f"Skipped: {missing[-1].removeprefix('E').strip()}")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip a test that comes upon one."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    missing = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] not in OURS
    if missing and item.config.getoption("--without-extras"):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {error}")
    return report


@pytest.fixture(scope="session", autouse=True)
def nothing_is_flushed_to_disk() -> Iterator[None]:
    """What a test writes need not outlast a power cut, and a build waits for the disk some hundred times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def pauses_are_short() -> Iterator[None]:
    """Before a service is asked again a build waits for seconds; here nobody else needs them."""
    from ieat_data.engines import asking, client
    from ieat_data.execution import runner

    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (asking, "PASSING_PAUSES_S"),
            (asking, "OTHER_PAUSES_S"),
            (runner, "RESTS_S"),
            (client, "_DISK_PAUSES_S"),
        ):
            patch.setattr(module, name, tuple(s / 100 for s in getattr(module, name)))
        patch.setattr(asking, "_BETWEEN_S", 0.005)
        yield


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    from ieat_data.dataset.verify import content_digest
    from tests.support import corpora
    from tests.support.finished import Finished

    folder = tmp_path_factory.mktemp("finished")
    built = Finished(corpora.make(folder), folder / "out", "")
    built.build()
    return built._replace(digest=content_digest(built.out))


@pytest.fixture
def finished(_finished: Finished, tmp_path: Path) -> Iterator[Finished]:
    """A finished build of the test's own, whose files it may damage."""
    from ieat_data.storage.parts import sha256_file

    copied = _finished._replace(out=tmp_path / "out")
    shutil.copytree(_finished.out, copied.out)
    for shard in copied.out.glob("data/*/*.parquet"):  # hard links, as a build makes them
        (part,) = [p for p in copied.parts(shard.parent.name) if sha256_file(p) == sha256_file(shard)]
        shard.unlink()
        os.link(part, shard)
    yield copied
    shutil.rmtree(copied.out)
