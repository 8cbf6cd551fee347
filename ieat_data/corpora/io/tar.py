"""Untrusted tar archives: read only the headers, name what is broken, continue after it.

`tarfile` gives up at the first damaged header and cannot begin in the middle. Samples are grouped as in WebDataset:
neighbouring members whose paths are equal up to the first dot of the file name are one sample.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field

from ieat_data.corpora.io.account import Account
from ieat_data.corpora.io.files import CHUNK, Readable
from ieat_data.corpora.io.names import is_unsafe

BLOCK = 512
RECORD = 20 * BLOCK  # most writers pad an archive to a multiple of this
MAX_EXTENDED_HEADER = 1 << 20  # bytes of a PAX or GNU long-name header
MESSAGES = {
    "corrupt_tar": "damaged tar header; reading continues after it",
    "damaged_archive": "zeros in place of members, which are lost: a broken download; fetch the archive again",
    "truncated_tar": "the archive ends inside this member; is the download complete?",
    "unsafe_name": "a member's name is absolute, leaves its folder or holds unprintable characters",
    "not_a_file": "a member is a link or a device, not a file",
}
_PAX_RECORD = re.compile(rb"(\d{1,9}) ([^=\n]+)=")
_SPLIT = re.compile(r"((?:.*/)?[^/.]+)\.([^/]*)", re.DOTALL)  # at the first dot
_WITHOUT_DATA = (tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)


@dataclass(frozen=True)
class Member:
    """Bytes [start, end) of the archive are one member, its data at [data, data + size).

    `problem` is a reason code: `corrupt_tar`, `damaged_archive` or `truncated_tar` (the extent is then the damaged
    region, and `name` is empty if no header could be read), `unsafe_name` or `not_a_file`.
    """

    name: str
    start: int
    data: int
    size: int
    end: int
    problem: str = ""

    @property
    def damaged(self) -> bool:
        return self.problem in ("corrupt_tar", "damaged_archive", "truncated_tar")


@dataclass
class Group:
    """One sample: its key and its members by extension (the first of each that the caller wants)."""

    key: str
    start: int
    end: int
    members: dict[str, Member] = field(default_factory=dict)
    problem: str = ""
    size: int = 0  # bytes of its members, with headers and padding
    last: Member | None = None

    def add(self, member: Member) -> None:
        self.size += member.end - member.start
        self.end, self.last = member.end, member
        self.problem = self.problem or member.problem


class _Damaged(Exception):
    pass


def _padded(size: int) -> int:
    return (size + BLOCK - 1) // BLOCK * BLOCK


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        raise _Damaged from None
    if info.size < 0 or info.type == tarfile.GNUTYPE_SPARSE:
        raise _Damaged
    return info


def _pax(data: bytes) -> tuple[str | None, int | None]:
    r"""Return `path` and `size` of a PAX header: records `LENGTH KEY=VALUE\n`, LENGTH counting the whole record."""
    name, size, pos = None, None, 0
    while pos < len(data):
        match = _PAX_RECORD.match(data, pos)
        if match is None:
            if data[pos:].strip(b"\0"):
                raise _Damaged
            break
        end = pos + int(match[1])
        if end <= match.end() or end > len(data):
            raise _Damaged
        value = data[match.end() : end - 1]
        if match[2] == b"path":
            name = value.decode("utf-8", "surrogateescape")
        elif match[2] == b"size":
            if not value.isdigit() or len(value) > 18:
                raise _Damaged
            size = int(value)
        elif match[2].startswith(b"GNU.sparse."):
            raise _Damaged
        pos = end
    return name, size


def _member_at(file: Readable, start: int, end: int) -> Member | None:
    """Return the member whose headers begin at `start`, or None for a global PAX header.

    Raises:
        _Damaged: a header is damaged.
    """
    long_name, long_size, pos = None, None, start
    while True:
        info = _header(file.read(pos, min(BLOCK, end - pos)))
        data = pos + BLOCK
        if info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            if info.size > MAX_EXTENDED_HEADER or data + _padded(info.size) > end:
                raise _Damaged
            body = file.read(data, info.size)
            if info.type == tarfile.GNUTYPE_LONGNAME:
                long_name = body.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
            elif info.type != tarfile.GNUTYPE_LONGLINK:
                name, size = _pax(body)
                long_name, long_size = name or long_name, size if size is not None else long_size
            pos = data + _padded(info.size)
            if pos - start > 8 * MAX_EXTENDED_HEADER:
                raise _Damaged
            continue
        if info.type == tarfile.XGLTYPE:
            return None
        name = info.name if long_name is None else long_name
        size = info.size if long_size is None else long_size
        stored = 0 if info.type in _WITHOUT_DATA else size
        if data + stored > end:
            return Member(name, start, data, stored, end, "truncated_tar")
        problem = "" if info.isreg() else "not_a_file"
        if info.type == tarfile.DIRTYPE:
            name, problem = name.rstrip("/") + "/", ""
        if is_unsafe(name):
            problem = "unsafe_name"
        # the padding of the last member may be missing
        return Member(name, start, data, stored, min(data + _padded(stored), end), problem)


def _next_header(file: Readable, start: int, end: int) -> int:
    """Return the offset of the first plausible header at or after `start` (a multiple of 512), or `end`."""
    pos = start
    while pos < end:
        chunk = file.read(pos, min(CHUNK, end - pos))
        hit = chunk.find(b"ustar")
        while hit >= 0:
            block = hit - 257
            if block >= 0 and block % BLOCK == 0 and len(chunk) >= block + BLOCK:
                try:
                    _header(chunk[block : block + BLOCK])
                    return pos + block
                except _Damaged:
                    pass
            hit = chunk.find(b"ustar", hit + 1)
        pos += len(chunk) if len(chunk) >= BLOCK else end - pos
    return end


def _skip_zeros(file: Readable, start: int, end: int) -> int:
    """Return the offset of the first block at or after `start` that is not all zeros, or `end`."""
    pos = start
    while pos < end:
        chunk = file.read(pos, min(CHUNK, end - pos))
        if not chunk:
            break
        zeros = len(chunk) - len(chunk.lstrip(b"\0"))
        if zeros < len(chunk):
            return pos + zeros // BLOCK * BLOCK
        pos += len(chunk)
    return end


def _is_end_mark(file: Readable, start: int, after: int, end: int) -> bool:
    """Tell whether the zeros [start, after) end an archive: two blocks, and padding up to a multiple of RECORD.

    Between archives (`cat a.tar b.tar`) they must fit exactly. More zeros at the end of a file are what a download
    leaves that was broken off after its file had been given its full size.
    """
    size, follows = after - start, after < min(end, file.size) or end < file.size
    if not follows:
        return size < RECORD + 2 * BLOCK
    try:
        _header(file.read(after, BLOCK))
    except _Damaged:
        return False
    return size == 2 * BLOCK or (after % RECORD == 0 and 2 * BLOCK <= size < RECORD + 2 * BLOCK)


def members(file: Readable, start: int, end: int, account: Account | None = None) -> Iterator[Member]:
    """Yield the members whose headers lie in [start, end), including damaged regions, without directories.

    Reading continues after an end mark if data follows (`cat a.tar b.tar`). Any other zeros are a damaged region, with
    what remains of a member after them. What is not yielded is told to `account`, so that all bytes add up.

    The end of a stream is unknown until it is reached: its last member is then not reported as truncated; its data is
    shorter than its size.
    """
    account = account or Account()
    pos, whole = start, False
    while pos < min(end, file.size):
        if file.read(pos, min(BLOCK, end - pos)).strip(b"\0") == b"":
            after = min(_skip_zeros(file, pos, end), file.size)
            whole = _is_end_mark(file, pos, after, end)
            if whole:
                account.tell("end_mark", size=after - pos)
            else:
                after = min(_next_header(file, after, end), file.size)
                yield Member("", pos, pos, 0, after, "damaged_archive")
                whole = True  # nothing more is to be told of the end
            pos = after
            continue
        whole = False
        try:
            member = _member_at(file, pos, end)
        except _Damaged:
            whole = True  # in any case it is told what is broken
            after = min(_next_header(file, pos + BLOCK, end), file.size)
            yield Member("", pos, pos, 0, after, "truncated_tar" if file.size - pos < BLOCK else "corrupt_tar")
            pos = after
            continue
        if member is None:  # a global PAX header: its own block and its data
            after = min(pos + BLOCK + _padded(_header(file.read(pos, BLOCK)).size), end)
            account.tell("global_header", size=after - pos)
            pos = after
            continue
        if member.problem == "truncated_tar":
            # the size runs past the end: either the file is truncated, or the size is wrong and more members follow
            after = min(_next_header(file, member.data, end), file.size)
            problem = "truncated_tar" if after >= file.size else "corrupt_tar"
            member = Member(member.name, member.start, member.data, member.size, after, problem)
            whole = True
        pos = member.end
        if not member.name.endswith("/") or member.problem:
            yield member
        else:
            account.tell("folder", size=member.end - member.start)
    if end >= file.size and not whole:
        account.tell("no_end_mark", file.path)


def groups(
    file: Readable,
    start: int,
    end: int,
    extensions: frozenset[str],
    required: int = 2,
    account: Account | None = None,
) -> Iterator[Group]:
    """Yield the samples in [start, end), which begins at a sample. Tell members with other extensions to `account`.

    Args:
        file: the archive.
        start: byte offset where a sample begins.
        end: byte offset where to stop.
        extensions: of the wanted members.
        required: how many wanted members make a sample complete. A damaged region is reported with the sample that it
            broke if that is incomplete or its last member ends in the region's zeros, else alone.
        account: for what is left out.

    Memory: one sample's headers.
    """
    account = account or Account()
    group: Group | None = None
    for member in members(file, start, end, account):
        name = _split(member.name, extensions, group.key if group else None)
        if member.damaged:
            same = name is not None and group is not None and group.key == name[0]
            if group is None or not (
                same or (not member.name and len(group.members) < required) or _runs_into(file, group.last, member)
            ):
                if group is not None:
                    yield group
                group = Group(name[0] if name else member.name, member.start, member.end)
            group.problem = member.problem
            group.add(member)
            yield group
            group = None
            continue
        if name is None or name[1] not in extensions:
            hidden = member.name.rsplit("/", 1)[-1].startswith(".")
            place = f"{file.path}: {member.name}"
            account.tell("hidden_member" if hidden else "other_member", place, member.end - member.start)
            continue
        key, extension = name
        if group is not None and (group.key != key or extension in group.members):
            yield group
            group = None
        if group is None:
            group = Group(key, member.start, member.end)
        group.members[extension] = member
        group.add(member)
    if group is not None:
        yield group


def _split(name: str, extensions: frozenset[str], present: str | None) -> tuple[str, str] | None:
    """Return (key, extension in lower case) of a member's name.

    WebDataset's key ends at the first dot. Where that gives no wanted extension, as in `take_1.2.mp3`, it ends at the
    last dot, unless the member belongs to the `present` sample (`K.seg.json` beside `K.json`).
    """
    match = _SPLIT.fullmatch(name)
    if match is None:
        return None
    key, extension = match[1], match[2].lower()
    if extension not in extensions and key != present:
        longer, _, last = name.rpartition(".")
        if last.lower() in extensions:
            return longer, last.lower()
    return key, extension


def _runs_into(file: Readable, last: Member | None, zeros: Member) -> bool:
    """Tell whether the data of the member before a region of zeros end in zeros, too: the hole began inside it."""
    if last is None or zeros.problem != "damaged_archive" or last.end != zeros.start:
        return False
    n = min(last.size, BLOCK)
    return n > 0 and not file.read(last.data + last.size - n, n).strip(b"\0")
