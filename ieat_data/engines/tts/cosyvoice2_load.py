"""Loads CosyVoice2's code and weights into this process; all workarounds for its versions are here."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import logging
import os
import pydoc
import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from ieat_data.errors import UserError

RATE = 24_000
FILES = ("cosyvoice2.yaml", "llm.pt", "flow.pt", "hift.pt", "campplus.onnx", "speech_tokenizer_v2.onnx")
TOKENIZER = "CosyVoice-BlankEN"

# the model's YAML may name any Python object to call: only CosyVoice's own are allowed, and these
_OTHERS = frozenset({"omegaconf.DictConfig"})
_SEEDS = frozenset({"random.seed", "numpy.random.seed", "torch.manual_seed", "torch.cuda.manual_seed_all"})
_OWN = ("cosyvoice", "matcha")


def load(folder: Path, *, require_gpu: bool, options: Collection[str] = ()) -> Any:
    """Return the library's `CosyVoice2` with the model in `folder`, on the GPU if there is one.

    `options`: which of `fp16`, `load_trt`, `load_vllm` to turn on.

    Raises:
        UserError: something is missing or wrong.
    """
    for name in (*FILES, TOKENIZER):
        if not (folder / name).exists():
            raise UserError(f"{folder}: has no {name}; name the folder of a CosyVoice2 model")
    _check_transformers()
    # some versions of CosyVoice load weights without `weights_only`; a hub is never asked
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    library = _library()
    import torch

    if require_gpu and not torch.cuda.is_available():
        raise UserError(
            "engine cosyvoice2: PyTorch sees no GPU here; give the engine one (`num_gpus: 1`), or set "
            "`require_gpu: false` to run it slowly on the CPU"
        )
    if options and not torch.cuda.is_available():
        raise UserError(f"engine cosyvoice2: {', '.join(options)} cannot be used without a GPU")
    _check_yaml(folder / "cosyvoice2.yaml")
    taken = inspect.signature(library.CosyVoice2).parameters
    if unknown := [o for o in options if o not in taken]:
        raise UserError(f"engine cosyvoice2: this version of CosyVoice has no {', '.join(unknown)}")
    given = dict.fromkeys(options, True)
    if "final" in taken:
        given["final"] = True  # cosyvoice2-eu: the names llm.pt, flow.pt, hift.pt
    try:
        model = library.CosyVoice2(str(folder), **given)
        if "load_vllm" not in options:
            _check_weights(model, folder / "llm.pt")
    except UserError:
        raise
    except Exception as e:  # YAML, ONNX, pickle, shapes: errors without a common base class
        raise UserError(f"{folder}: CosyVoice cannot load it: {type(e).__name__}: {' '.join(str(e).split())}") from e
    if model.sample_rate != RATE:
        raise UserError(f"{folder}: speaks at {model.sample_rate} Hz, CosyVoice2 at {RATE}")
    return model


def home() -> str:
    """Return the folder of CosyVoice's clone, or "" if an installed package is used."""
    return os.environ.get("COSYVOICE_HOME", "")


def takes_paths(model: Any) -> bool:
    """Tell whether a prompt is given as a path. Versions before December 2025 take a tensor (1, n) at 16 kHz."""
    taken = inspect.signature(model.add_zero_shot_spk).parameters
    if not {"prompt_wav", "prompt_speech_16k"} & set(taken):
        raise UserError(
            f"engine cosyvoice2: this version of CosyVoice takes prompts in an unknown form ({', '.join(taken)})"
        )
    return "prompt_wav" in taken


def _check_transformers() -> None:
    version = importlib.metadata.version("transformers")
    if tuple(int(n) for n in re.findall(r"\d+", version)[:2]) >= (4, 53):
        raise UserError(
            f"engine cosyvoice2: transformers {version} silently decodes CosyVoice2's tokens wrongly; "
            "install transformers==4.51.3"
        )


def _library() -> Any:
    """Return the module `cosyvoice.cli.cosyvoice` of the clone in COSYVOICE_HOME, else of an installed package."""
    if home():
        clone = Path(home()).expanduser().absolute()
        for part, package in ((clone, "cosyvoice/cli"), (clone / "third_party" / "Matcha-TTS", "matcha")):
            if not (part / package).is_dir():
                raise UserError(
                    f"COSYVOICE_HOME={home()}: has no {(part / package).relative_to(clone)}; it must be a clone of "
                    "FunAudioLLM/CosyVoice with its submodules"
                )
            sys.path.insert(0, str(part))
    _leave_out_normalizers()
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    try:
        library: Any = importlib.import_module("cosyvoice.cli.cosyvoice")
    except ImportError as e:
        raise UserError(
            f"engine cosyvoice2: CosyVoice cannot be imported ({e}); set COSYVOICE_HOME to a clone of "
            "FunAudioLLM/CosyVoice, or install a package that provides cosyvoice.cli, such as cosyvoice2-eu"
        ) from None
    # importing it sets the root logger to DEBUG; it then logs and draws a progress bar for each text
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.getLogger().addFilter(lambda record: "cosyvoice" not in record.pathname)
    library.tqdm = lambda texts: texts
    return library


def _leave_out_normalizers() -> None:
    """Replace its text normalizers, unused here: they load grammars from a hub or write them into site-packages."""
    sys.modules.setdefault("ttsfrd", None)  # type: ignore[arg-type]
    for name in ("wetext", "tn.chinese.normalizer", "tn.english.normalizer"):
        try:
            importlib.import_module(name).Normalizer = _NoNormalizer  # type: ignore[attr-defined]
        except ImportError:
            continue


class _NoNormalizer:
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


def _check_yaml(file: Path) -> None:
    try:
        events = list(yaml.parse(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise UserError(f"{file}: is not YAML: {' '.join(str(e).split())}") from None
    for event in events:
        tag = getattr(event, "tag", None)
        if tag and not _harmless(tag):
            raise UserError(f"{file}: {tag!r} would run code that is not CosyVoice's, so the file is not loaded")


def _harmless(tag: str) -> bool:
    kind, _, name = tag.partition(":")
    if kind == "!apply":
        return name in _SEEDS
    if kind not in ("!new", "!name"):
        return tag == "!ref"
    if name in _OTHERS:
        return True
    # a name may reach anything that one of these modules imports: `cosyvoice.cli.frontend.os.system`
    found = pydoc.locate(name) if name.split(".")[0] in _OWN else None
    return getattr(found, "__module__", "").split(".")[0] in _OWN


def _check_weights(model: Any, file: Path) -> None:
    """Check that the file has all weights: cosyvoice2-eu leaves missing ones random and only logs it."""
    import torch

    stored = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    if missing := sorted(set(model.model.llm.state_dict()) - set(stored)):
        raise UserError(f"{file}: lacks {len(missing)} weights of the model, such as {missing[0]}")
