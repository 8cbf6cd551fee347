"""The faces of a stream for PyTorch: an `IterableDataset`, and batches made by worker processes. Imports torch."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ieat_data.errors import UserError
from ieat_data.loading.sharing import Row, Share, Walkable

try:
    import torch
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info
except ImportError as e:
    raise UserError(f"batches are made by PyTorch, which cannot be imported ({e}): pip install torch") from None

Encode = Callable[[Row], Any]


class TorchStream(IterableDataset):
    """A stream as PyTorch's datasets are: worker processes share its rows out, `set_epoch` begins an epoch."""

    def __init__(self, stream: Walkable, encode: Encode | None, batch_size: int) -> None:
        super().__init__()
        self._stream, self._encode, self._block = stream, encode, batch_size
        self._epoch = torch.tensor(stream.epoch).share_memory_()  # workers that stay alive see a new epoch, too

    def __iter__(self) -> Iterator[Any]:
        stream, info = self._stream, get_worker_info()
        if stream.epoch != int(self._epoch):
            stream.set_epoch(int(self._epoch))
        share = Share(info.id, info.num_workers, self._block) if info else Share()
        for position, made in _encoded(stream, self._encode, share):
            for given, item in made:
                stream.position, stream.given = position, given + 1
                yield item
        stream.set_epoch(stream.epoch)

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch: another order, if the stream is shuffled. Called before the loader is iterated."""
        self._epoch.fill_(epoch)
        self._stream.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return where this process is."""
        return self._stream.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the process was that returned `state`."""
        self._stream.load_state_dict(state)
        self._epoch.fill_(self._stream.epoch)


class Batches:
    """Batches of a stream: iterating goes on where it was left; after an epoch the next begins.

    Attributes:
        left_out: why rows gave no item, and how many (by an encoder that counts them in its own `left_out`).
    """

    def __init__(
        self, stream: Walkable, encode: Encode | None, batch_size: int, workers: int, collate: Any, drop_last: bool
    ) -> None:
        if batch_size < 1 or workers < 0:
            raise UserError(f"batch_size={batch_size} is above 0, workers={workers} from 0 on")
        self._stream, self._encode = stream, encode
        self._size, self._workers, self._drop_last = batch_size, workers, drop_last
        self._collate = collate or getattr(encode, "collate", _same)
        self.left_out: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Any]:
        stream, pending, found = self._stream, list[Any](), 0
        context = None if stream.forks or not self._workers else "spawn"
        chunks = DataLoader(
            _Chunks(stream, self._encode, self._size),
            batch_size=None,
            num_workers=self._workers,
            collate_fn=_same,
            multiprocessing_context=context,
        )
        for chunk in chunks:
            if chunk.fault is not None:
                raise UserError(chunk.fault)
            self.left_out.update(chunk.left_out)
            for position, given, item in chunk.items:
                found += 1
                pending.append(item)
                if len(pending) == self._size:
                    stream.position, stream.given = position, given + 1
                    yield self._collate(pending)
                    pending = []
        if pending and not self._drop_last:
            stream.position, stream.given = len(stream), 0
            yield self._collate(pending)
        if self.left_out and not found and stream.position == 0:
            said = ", ".join(f"{n} {reason}" for reason, n in self.left_out.most_common())
            raise UserError(f"{stream!r}: no row can be trained on: {said}")
        stream.set_epoch(stream.epoch + 1)

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch: another order, if the stream is shuffled."""
        self._stream.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return where the stream is after the last batch that was taken, as JSON; workers may be further."""
        return self._stream.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after the batch at which `state` was taken, with any number of workers and any batch size."""
        self._stream.load_state_dict(state)


@dataclass(slots=True)
class _Chunk:
    """Items of rows in a row: (position of the row, number of the item in it, item); or a fault that ends it all."""

    items: list[tuple[int, int, Any]]
    left_out: Mapping[str, int]
    fault: str | None = None


class _Chunks(IterableDataset):
    """Chunks of `size` rows, dealt to the workers in turn: so a DataLoader returns them in the stream's order."""

    def __init__(self, stream: Walkable, encode: Encode | None, size: int) -> None:
        super().__init__()
        self._stream, self._encode, self._rows = copy.copy(stream), encode, size

    def __iter__(self) -> Iterator[_Chunk]:
        info, start = get_worker_info(), self._stream.position
        share = Share(info.id, info.num_workers, self._rows, start) if info else Share()
        counted: Any = getattr(self._encode, "left_out", Counter())
        chunk, before, rows = list[tuple[int, int, Any]](), Counter(counted), 0
        try:
            for position, made in _encoded(self._stream, self._encode, share):
                chunk += [(position, given, item) for given, item in made]
                rows += 1
                if rows == self._rows:
                    yield _Chunk(chunk, counted - before)
                    chunk, before, rows = [], Counter(counted), 0
            if rows:
                yield _Chunk(chunk, counted - before)
        except UserError as e:  # a DataLoader would put a worker's traceback into the message
            yield _Chunk([], {}, str(e))


def _encoded(stream: Walkable, encode: Encode | None, share: Share) -> Iterator[tuple[int, list[tuple[int, Any]]]]:
    """Yield (position, its numbered items) of the rows of a share, without the items that were given before."""
    start, skip = stream.position, stream.given
    for position, row in stream.walk(start, share):
        made = row if encode is None else encode(row)
        listed = list(enumerate(made if isinstance(made, list) else [made]))
        yield position, listed[skip:] if position == start else listed


def _same(items: Any) -> Any:
    return items
