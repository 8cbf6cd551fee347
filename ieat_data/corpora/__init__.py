"""Readers of source corpora, by the name that a source manifest gives in `reader`."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable

from ieat_data.corpora.io.base import Reader
from ieat_data.corpora.io.units import SourceError
from ieat_data.errors import did_you_mean

# name in the manifest -> "module:Class"; a reader's module is imported on first use
READERS: dict[str, str] = {
    "emilia": "ieat_data.corpora.emilia:EmiliaReader",
    "wenetspeech4tts": "ieat_data.corpora.wenetspeech4tts:WenetSpeech4TTSReader",
    "belle": "ieat_data.corpora.belle:BelleReader",
    "ultrachat": "ieat_data.corpora.ultrachat:UltraChatReader",
    "gigaspeech": "ieat_data.corpora.gigaspeech:GigaSpeechReader",
    "gigaspeech-parquet": "ieat_data.corpora.gigaspeech_parquet:GigaSpeechParquetReader",
    "libriheavy": "ieat_data.corpora.libriheavy:LibriHeavyReader",
}


def reader_class(name: str) -> type[Reader]:
    """Return the reader class called `name`.

    Raises:
        SourceError: no reader has this name; the message lists the known names.
    """
    target = READERS.get(name)
    if target is None:
        raise SourceError(f"unknown reader {name!r}{did_you_mean(name, READERS)}")
    module, _, attribute = target.partition(":")
    cls: type[Reader] = getattr(importlib.import_module(module), attribute)
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
