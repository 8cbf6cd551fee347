"""FunASR models from a folder: on the device that was asked for, with all their weights, and without a network.

FunASR itself goes on with the CPU where the device is absent, leaves weights at random that the checkpoint lacks, asks
a hub for a name that is no folder, and runs the code of a model that brings some. None of it may happen unseen here.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.engines import devices
from ieat_data.engines.base import Requirement
from ieat_data.engines.batching import one_line
from ieat_data.errors import UserError

_DOWNLOAD = (
    "a model of a hub is downloaded first, by the hub's own client: "
    "`modelscope download --model NAME --local_dir FOLDER` or `hf download NAME --local-dir FOLDER`"
)


def requirements(engine: str, settings: Mapping[str, Any]) -> list[Requirement]:
    """Of an engine whose setting `model` is a FunASR model's folder."""
    if not settings.get("model"):
        raise UserError(f"engine {engine}: needs the setting `model`, a FunASR model's folder; {_DOWNLOAD}")
    modules = [Requirement("module", name) for name in ("funasr", "torch")]
    return [*modules, Requirement("model", str(settings["model"]))]


def model_folder(model: str) -> Path:
    """The folder of `model`. Raises UserError where there is none, such as for a hub's name of a model."""
    from ieat_data.engines import weights as models

    try:
        folder = models.resolve(model)
    except models.ModelError as e:
        raise UserError(f"{e}; {_DOWNLOAD}") from None
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder}: has no config.yaml; a FunASR model's folder is needed")
    return folder


def configuration(folder: Path) -> dict[str, Any]:
    """What the folder says of its model, as FunASR reads it: `model`, `model_conf`, `init_param` (the checkpoint), …"""
    with _quiet():
        from funasr.download.download_model_from_hub import download_model

    try:
        with _quiet():
            return dict(download_model(model=str(folder), trust_remote_code=False))
    except Exception as e:  # FunASR asserts, OmegaConf and PyYAML have errors of their own
        raise UserError(f"{folder}: FunASR cannot read its configuration: {type(e).__name__}: {one_line(e)}") from None


def load(folder: Path, config: Mapping[str, Any], device: str, unused: Sequence[str] = ()) -> Any:
    """FunASR's AutoModel from a folder with this `configuration`.

    `unused`: beginnings of the names of weights that answers do not depend on: the checkpoint may lack them.

    Raises UserError: the device is absent, a weight is missing or has another shape, the checkpoint holds more than
    tensors, or FunASR cannot build the model.
    """
    import torch

    devices.check(device)
    checkpoint = Path(str(config.get("init_param")))
    if not checkpoint.is_file():
        raise UserError(f"{folder}: its configuration names no checkpoint that is there (model.pt)")
    # before FunASR opens it, which trusts it
    shapes = _shapes(checkpoint)
    excluded = config.get("excludes") or ()
    excluded = [*(excluded.split(",") if isinstance(excluded, str) else excluded), *unused]
    with _quiet():
        from funasr import AutoModel

    try:
        with _quiet():
            auto = AutoModel(
                model=str(folder),
                device=device,
                excludes=excluded,
                trust_remote_code=False,
                disable_update=True,
                disable_pbar=True,
                # noise is added to the signal by default: the same clip would give another text
                frontend_conf={"dither": 0.0},
                # FunASR sets torch's number of threads: to what it is
                ncpu=torch.get_num_threads(),
                # a configuration may name more models, which a hub would be asked for
                vad_model=None,
                punc_model=None,
                spk_model=None,
            )
    except Exception as e:
        raise UserError(f"{folder}: FunASR cannot load it: {type(e).__name__}: {one_line(e)}") from None
    if auto.kwargs["device"] != device:
        raise UserError(f"{folder}: FunASR loads it on {auto.kwargs['device']!r} instead of {device!r}")
    _check_weights(auto.model, shapes, config.get("scope_map") or (), excluded, checkpoint)
    return auto


def _shapes(checkpoint: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of a checkpoint, read as data alone: no code in it is run."""
    import torch

    try:
        held = torch.load(checkpoint, map_location="meta", weights_only=True)
        for name in ("state_dict", "model_state_dict", "model"):
            held = held.get(name, held)
    except Exception as e:  # pickle's, zip's and torch's errors
        what = f"{type(e).__name__}: {one_line(e)}"
        raise UserError(f"{checkpoint}: is no checkpoint of tensors alone: {what}") from None
    return {str(k): tuple(v.shape) for k, v in held.items() if isinstance(v, torch.Tensor)}


def _check_weights(
    model: Any, shapes: Mapping[str, tuple[int, ...]], scopes: Any, excluded: Sequence[str], checkpoint: Path
) -> None:
    pairs = scopes.split(",") if isinstance(scopes, str) else list(scopes)
    prefixes = ["" if str(p).lower() == "none" else str(p) for p in [*pairs, "module.", "none"]]
    faults = []
    for name, weight in model.state_dict().items():
        if name.startswith(tuple(excluded)):
            continue
        found = shapes.get(source_name(name, shapes, prefixes))
        if found is None:
            faults.append(f"{name} is missing")
        elif found != tuple(weight.shape):
            faults.append(f"{name} has the shape {found}, the model's is {tuple(weight.shape)}")
    if faults:
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise UserError(f"{checkpoint}: does not fit its config.yaml, weights would be random: {faults[0]}{more}")


def source_name(name: str, held: Collection[str], prefixes: Sequence[str]) -> str:
    """What a weight of the model is called in the checkpoint, by FunASR's rule.

    `prefixes`: pairs of one in the checkpoint and one in the model that it stands for; the last that fits counts.
    """
    found = name
    for theirs, ours in zip(prefixes[::2], prefixes[1::2], strict=False):
        if name.startswith(ours) and theirs + name.removeprefix(ours) in held:
            found = theirs + name.removeprefix(ours)
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """As it loads, FunASR prints, warns, and sets up the root logger for everyone."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    root.addHandler(logging.NullHandler())
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
