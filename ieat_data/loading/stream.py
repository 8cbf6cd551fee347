"""`Stream`: the samples of one dataset or of a mix, an epoch after the other, for one of many readers."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from ieat_data.data.audio import AudioError, decode
from ieat_data.data.schema import SAMPLES
from ieat_data.errors import Damaged, UserError, did_you_mean
from ieat_data.loading.order import Pass, part_of
from ieat_data.loading.reader import read
from ieat_data.loading.schedule import Schedule, Stop
from ieat_data.loading.shards import Shards
from ieat_data.loading.sharing import Row, Share

if TYPE_CHECKING:
    from ieat_data.loading.batches import Batches, Encode, TorchStream

_log = logging.getLogger(__name__)

Rest = Literal["keep", "drop"]
WINDOW = 512


@dataclass(frozen=True, slots=True)
class Source:
    """What a stream reads: shards, what they are called, the digest of their rows, and their weight."""

    shards: Shards
    name: str
    digest: str
    weight: float = 1.0


class Stream:
    """Samples in the order of training, as dicts. Iterating takes up where it was left; after an epoch the next begins.

    Made by `Dataset.stream` or `mix`. The order depends on the data, `shuffle`, the epoch, rank and world size alone,
    not on who reads: another number of worker processes gives the same rows in the same order (`batches`).

    Attributes:
        epoch: the epoch that is read, from 0 on. `set_epoch` begins another one.
        position: how many samples of the epoch are done.
        given: how many items of the next sample are done, where a sample gives several (`batches`).
        over: how many samples of each source the ranks cannot share out evenly. With `rest="keep"` the first ranks
            read one of them more each; with `rest="drop"` nobody reads them in this epoch.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        shuffle: int | None = None,
        rank: int = 0,
        world: int = 1,
        rest: Rest = "keep",
        columns: Sequence[str] | None = None,
        decode: int | None = None,
        window: int = WINDOW,
        stop: Stop = "first",
    ) -> None:
        if not 0 <= rank < world:
            raise UserError(f"rank={rank}, world={world}: a rank is a number from 0 to {world - 1}")
        if shuffle is not None and shuffle < 0:
            raise UserError(f"shuffle={shuffle}: a seed is a number from 0 on, or None for the order of the shards")
        if rest not in ("keep", "drop") or stop not in ("first", "all") or window < 1:
            raise UserError(f"rest={rest!r} is keep or drop, stop={stop!r} is first or all, window={window} above 0")
        for source in sources:
            if not source.weight > 0:
                raise UserError(
                    f"mix: the weight of {source.name} is {source.weight}: leave it out, or weigh it above 0"
                )
            if sum(source.shards.rows) < world:
                raise UserError(
                    f"{source.name}: {sum(source.shards.rows)} samples for {world} ranks: a rank would have none"
                )
        for name in columns or ():
            if name not in SAMPLES.names:
                raise UserError(f"columns: a sample has no {name!r}{did_you_mean(name, SAMPLES.names)}")
        self.columns: Sequence[str] | None = None if columns is None else tuple(columns)
        self._sources = tuple(sources)
        self._shuffle, self._rank, self._world, self._rest, self._window = shuffle, rank, world, rest, window
        self._decode = decode
        self._parts = [part_of(sum(s.shards.rows), rank, world, rest == "drop") for s in sources]
        self.over = [sum(s.shards.rows) % world for s in sources]
        counts = [stop - start for start, stop in self._parts]
        self._schedule = Schedule([s.weight for s in sources], counts, stop)
        self._counts, self._stop = counts, stop
        self.epoch, self.position, self.given = 0, 0, 0
        if rank == 0 and any(self.over):
            _log.warning("%r", self)

    @property
    def forks(self) -> bool:
        """Whether a forked process can read it; one of a bucket needs workers that are spawned."""
        return all(s.shards.forks for s in self._sources)

    def __len__(self) -> int:
        """Return the samples of an epoch, of this rank."""
        return self._schedule.length

    def __repr__(self) -> str:
        names = ", ".join(s.name if len(self._sources) == 1 else f"{s.name} × {s.weight:g}" for s in self._sources)
        of = f", rank {self._rank} of {self._world}" if self._world > 1 else ""
        more = sum(self.over)
        rest = {"keep": "one more for some ranks", "drop": "left out"}[self._rest]
        over = f", {more} cannot be shared out evenly ({rest})" if more else ""
        return f"<Stream of {names}{of}: {len(self)} samples an epoch{over}>"

    def __iter__(self) -> Iterator[Row]:
        for position, row in self.walk(self.position, Share()):
            self.position = position + 1
            yield row
        self.set_epoch(self.epoch + 1)

    def walk(self, start: int, share: Share) -> Iterator[tuple[int, Row]]:
        """Yield (position in the epoch, row) for the rows of a share from `start` on. Moves nothing on."""
        readers = [self._read(s, self.epoch, self._wanted(s, start, share)) for s in range(len(self._sources))]
        for position, (source, _) in enumerate(self._schedule.after(start), start):
            if share.holds(position):
                yield position, self._made(next(readers[source]))

    def _wanted(self, source: int, start: int, share: Share) -> Iterator[int]:
        """Yield which rows of a source a share holds: their numbers, over all passes."""
        for position, (whose, k) in enumerate(self._schedule.after(start), start):
            if whose == source and share.holds(position):
                yield k

    def _read(self, source: int, epoch: int, wanted: Iterable[int]) -> Iterator[Row]:
        shards, count = self._sources[source].shards, self._counts[source]
        for n, inside in groupby(wanted, lambda k: k // count):
            key = None if self._shuffle is None else (self._shuffle, epoch, n)
            order = Pass(shards.rows, *self._parts[source], key, self._window)
            yield from read(shards, order, (k - n * count for k in inside), self.columns)

    def _made(self, row: Row) -> Row:
        if self._decode is not None and "audios" in row:
            row["audios"] = [_decoded(audio, self._decode, row.get("id")) for audio in row["audios"]]
        return row

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch: another order, if the stream is shuffled."""
        self.epoch, self.position, self.given = epoch, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """Return where the stream is, as JSON. It fits the same data, seed, rank and world size."""
        return {"epoch": self.epoch, "position": self.position, "given": self.given, "order": self._order()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the stream was that returned `state`.

        Raises:
            UserError: that stream had another order: other data, seed, rank or world size.
        """
        mine = self._order()
        differ = [k for k in mine if state["order"].get(k) != mine[k]]
        if differ:
            said = ", ".join(f"{k} was {state['order'].get(k)}, is {mine[k]}" for k in differ if k != "data")
            raise UserError(f"the state is of another stream: {said or 'its data have changed'}")
        self.epoch, self.position, self.given = state["epoch"], state["position"], state["given"]

    def torch(self, encode: Encode | None = None, *, batch_size: int = 1) -> TorchStream:
        """Return it as a `torch.utils.data.IterableDataset`, for a trainer that makes a DataLoader itself.

        Worker processes share its rows out. It has `set_epoch`, `state_dict` and `load_state_dict` (torchdata's
        StatefulDataLoader calls them). A trainer that divides an IterableDataset among ranks itself, as transformers'
        does, needs a stream without rank and world.

        Args:
            encode: makes an item of a row, or a list of items, which may be empty; None: rows as they are.
            batch_size: of the DataLoader. Its batches do not depend on the number of workers then, as long as each row
                gives one item.
        """
        fit = self._fit(encode)
        from ieat_data.loading.batches import TorchStream

        return TorchStream(fit, encode, batch_size)

    def batches(
        self,
        encode: Encode | None = None,
        *,
        batch_size: int,
        workers: int = 0,
        collate: Any = None,
        drop_last: bool = False,
    ) -> Batches:
        """Return batches, made in `workers` processes by a DataLoader of PyTorch; `state_dict` is right for each batch.

        Batches and states are the same for any number of workers.

        Args:
            encode: makes an item of a row, or a list of items, which may be empty; None: rows as they are.
            batch_size: items of a batch.
            workers: processes that read, decode and encode; 0: this one.
            collate: makes a batch of a list of items; None: the method `collate` of `encode`, or the list itself.
            drop_last: leave out the last batch of an epoch if it is smaller.
        """
        fit = self._fit(encode)
        from ieat_data.loading.batches import Batches

        return Batches(fit, encode, batch_size, workers, collate, drop_last)

    def _fit(self, encode: Encode | None) -> Stream:
        """Return a copy that reads what `encode` needs, if it says so, and no more unless the stream does."""
        needs = getattr(encode, "columns", None)
        made = copy.copy(self)
        if needs is not None:
            if self._decode is not None:
                raise UserError(f"decode={self._decode}: the encoder decodes clips itself: leave it out")
            if lacking := [c for c in needs if c not in (self.columns or needs)]:
                raise UserError(f"columns: the encoder needs {', '.join(lacking)}, too")
            made.columns = self.columns or needs
        return made

    def _order(self) -> dict[str, Any]:
        """Return all that the order depends on, but the epoch."""
        data = [[s.digest, float(s.weight)] for s in self._sources]
        said = {"shuffle": self._shuffle, "rank": self._rank, "world": self._world, "rest": self._rest}
        return {"data": data, **said, "window": self._window, "stop": self._stop}


def _decoded(audio: Mapping[str, Any], rate: int, id: str | None) -> dict[str, Any]:
    try:
        samples, _ = decode(audio["bytes"], rate)
    except AudioError as e:
        raise Damaged(f"sample {id}, clip {audio['path']}: cannot be decoded ({e}): run ieat verify --deep") from None
    return {"path": audio["path"], "array": samples, "sampling_rate": rate}
