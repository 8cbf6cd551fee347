"""The stored answers of tasks that have ended, joined: a file holds those of dozens, an index says where.

    WORK/answers/STAGE/joined-ID.answers    files of many tasks, one after the other (storage/joined.py)
    WORK/answers/STAGE/joined-ID.json       task → where its files lie there; trusted alone, and written last

The same is the last frame of the joined file, so a damaged index costs no answer.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from ieat_data.engines.frames import Damaged as DamagedFrame
from ieat_data.engines.frames import Encoded, pack, unpack
from ieat_data.errors import Damaged
from ieat_data.storage import joined
from ieat_data.storage.joined import Span
from ieat_data.storage.orphans import ORPHAN_AGE_S, store_time
from ieat_data.storage.store import Store

SUFFIX = ".answers"
_PREFIX, _INDEX = "joined-", ".json"


class JoinedAnswers:
    """The joined answers of one stage. For the driver, which hands each task the spans of its own."""

    def __init__(self, stage: Store) -> None:
        self._stage = stage
        self._seen: set[str] = set()  # tasks whose folders this run has looked into

    @cached_property
    def _spans(self) -> defaultdict[str, list[Span]]:
        """By task; read when a task is done, which a finished build has none of."""
        spans = defaultdict[str, list[Span]](list)
        for found in self._stage.at_once(self._read, filter(is_index, self._stage.names(_PREFIX))):
            _add(spans, found)
        return spans

    def _read(self, index: str) -> dict[str, list[Span]]:
        try:
            return spans_of(self._stage, index)
        except Damaged:
            self._stage.replace_json(index, self._said_inside(_file(index)))
            return spans_of(self._stage, index)

    def _said_inside(self, file: str) -> dict[str, Any]:
        """Return what a joined file's last frame says, or that it holds nothing."""
        try:
            frames = [found for found in unpack(self._stage.read(file)) if not isinstance(found, DamagedFrame)]
        except FileNotFoundError:
            frames = []
        said: dict[str, Any] = json.loads(frames[-1][1].value) if frames and frames[-1][0] == _PREFIX else {"tasks": {}}
        return said

    def of(self, task: str) -> tuple[tuple[Store, Span], ...]:
        """Return where the joined answers of a task lie."""
        return tuple((self._stage, span) for span in self._spans.get(task, ()))

    def waiting(self) -> list[str]:
        """Return the tasks that have answers of their own, and were not looked at in this run."""
        return [n for n in self._stage.names() if not (is_joined(n) or n.startswith(".") or n in self._seen)]

    def join(self, tasks: Iterable[str], check: Callable[[], None] = lambda: None) -> None:
        """Join the answers of tasks that have ended, and delete their own files; what is large stays as it is.

        Args:
            tasks: their names.
            check: raises if this driver holds the lease no more; called right before a joined file counts.
        """
        for some in joined.batches(list(tasks)):
            self._seen.update(some)
            self._join(some, check)

    def _join(self, tasks: Sequence[str], check: Callable[[], None]) -> None:
        there = zip(tasks, self._stage.at_once(lambda task: (self._stage / task).entries(), tasks), strict=True)
        sizes = {t: {n: e.size for n, e in entries.items() if n.endswith(SUFFIX)} for t, entries in there}
        # a bucket divides what a task appends: all its objects together are large, or none is
        own = [(t, n, size) for t, of in sizes.items() if sum(of.values()) <= joined.LARGEST for n, size in of.items()]
        files = [(self._stage / task, n) for task, n, _ in own]
        spans: dict[str, list[Span]] = {}

        def index(found: Sequence[Span | None]) -> bytes:
            for (task, *_), span in zip(own, found, strict=True):
                if span is not None:
                    spans.setdefault(task, []).append(span)
            return pack(_PREFIX, Encoded("index", json.dumps(_said(spans)), None))

        stem = f"{_PREFIX}{uuid.uuid4().hex[:12]}"
        where = joined.join(self._stage, stem + SUFFIX, files, [size for *_, size in own], index)
        if not spans:
            return
        known = self._spans  # read before the new index is there, and only if something is joined
        check()
        self._stage.replace_json(stem + _INDEX, _said(spans))
        _add(known, spans)
        joined.delete(file for file, span in zip(files, where, strict=True) if span)
        for task in spans:
            with contextlib.suppress(OSError):  # something else lies there; a bucket has no folders
                (self._stage / task).here.rmdir()

    def sweep(self, older_than_s: float = ORPHAN_AGE_S) -> None:
        """Delete what killed drivers left: joined files without an index, temporary files. For the lease's holder."""
        names = set(self._stage.names())
        lone = [n for n in names if is_joined(n) and n.endswith(SUFFIX) and _index(n) not in names]
        left = [*lone, *(n for n in names if n.startswith("."))]
        now = store_time(self._stage) if left else 0.0
        for name in left:
            found = self._stage.find(name)
            if found is not None and now - found.modified > older_than_s:
                self._stage.delete(name)

    def take_out(self, task: str) -> None:
        """Give a task its sound joined answers back as files of its own. For the holder of the lease."""
        for stage, span in self.of(task):
            try:
                data = span.read(stage)
            except FileNotFoundError:  # the joined file is gone: its answers are asked again
                continue
            sound = [pack(*found) for found in unpack(data) if not isinstance(found, DamagedFrame)]
            if sound:
                (stage / task).make()
                (stage / task).replace(f"{uuid.uuid4().hex[:12]}{SUFFIX}", b"".join(sound))
        for file in {span.file for span in self._spans.pop(task, ())}:
            left = {t: spans for t, spans in self._read(_index(file)).items() if t != task}
            if left:
                self._stage.replace_json(_index(file), _said(left))
            else:
                self._stage.delete(_index(file))
                self._stage.delete(file)


def is_index(name: str) -> bool:
    """Tell whether a file in a stage's folder of answers is an index."""
    return name.startswith(_PREFIX) and name.endswith(_INDEX)


def is_joined(name: str) -> bool:
    """Tell whether a name in a stage's folder of answers is not that of a task."""
    return name.startswith(_PREFIX) and name.endswith((_INDEX, SUFFIX))


def spans_of(stage: Store, index: str) -> dict[str, list[Span]]:
    """Return what an index says: task → the spans of its answers.

    Raises:
        Damaged: it is not as it was written.
    """
    said = stage.read_json(index) or {"tasks": {}}
    return {task: [Span(_file(index), *at) for at in spans] for task, spans in said["tasks"].items()}


def _add(spans: defaultdict[str, list[Span]], more: Mapping[str, Sequence[Span]]) -> None:
    for task, of in more.items():
        spans[task] += of


def _said(spans: Mapping[str, Sequence[Span]]) -> dict[str, Any]:
    return {"tasks": {task: [(span.at, span.size) for span in of] for task, of in spans.items()}}


def _index(file: str) -> str:
    return file.removesuffix(SUFFIX) + _INDEX


def _file(index: str) -> str:
    return index.removesuffix(_INDEX) + SUFFIX
