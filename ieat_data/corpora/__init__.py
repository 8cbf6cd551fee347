"""Readers of source corpora, by the name that a source manifest gives in `reader`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from ieat_data.corpora.io.base import Reader
from ieat_data.corpora.io.units import SourceError
from ieat_data.errors import UserError, did_you_mean
from ieat_data.plugins import Kind

# name in the manifest -> "module:Class"; a reader's module is imported on first use
READERS: dict[str, str] = {
    "folder": "ieat_data.corpora.folder:FolderReader",
    "texts": "ieat_data.corpora.texts:TextsReader",
    "hf": "ieat_data.corpora.hf:HuggingFaceReader",
    "lhotse": "ieat_data.corpora.lhotse_cuts:LhotseReader",
    "emilia": "ieat_data.corpora.emilia:EmiliaReader",
    "wenetspeech4tts": "ieat_data.corpora.wenetspeech4tts:WenetSpeech4TTSReader",
    "belle": "ieat_data.corpora.belle:BelleReader",
    "ultrachat": "ieat_data.corpora.ultrachat:UltraChatReader",
    "gigaspeech": "ieat_data.corpora.gigaspeech:GigaSpeechReader",
    "gigaspeech-parquet": "ieat_data.corpora.gigaspeech_parquet:GigaSpeechParquetReader",
    "libriheavy": "ieat_data.corpora.libriheavy:LibriHeavyReader",
}


_KIND = Kind("reader", "ieat.readers", READERS, ("kind", "plan()", "read()"))


def reader_class(name: str) -> type[Reader]:
    """Return the reader class called `name`: in `READERS`, from an installed package, or `module:Class`.

    Raises:
        SourceError: there is none, or it is not a reader.
    """
    try:
        cls: type[Reader] = _KIND.find(name, "reader")
    except UserError as e:
        raise SourceError(str(e)) from None
    if cls.kind not in ("speech", "text"):
        raise SourceError(f"reader {name!r}: kind is {cls.kind!r}, expected 'speech' or 'text'")
    return cls


def check_options(name: str, given: Iterable[str]) -> None:
    """Check that the reader called `name` takes every option in `given`.

    Raises:
        SourceError: the reader does not take an option; the message lists the known options.
    """
    known = list(inspect.signature(reader_class(name)).parameters)[2:]  # after root and language
    for option in given:
        if option not in known:
            hint = did_you_mean(option, known) if known else "; it takes none"
            raise SourceError(f"the reader {name!r} has no option {option!r}{hint}")
