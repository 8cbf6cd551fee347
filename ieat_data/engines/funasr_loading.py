"""FunASR models from a folder: on the requested device, with all their weights, and without a network.

FunASR itself silently falls back to the CPU if the device is absent, leaves weights random that the checkpoint lacks,
asks a hub for a name that is not a folder, and runs code that a model brings. This module prevents all of that.
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
    "download a hub's model first, with the hub's own client: "
    "`modelscope download --model NAME --local_dir FOLDER` or `hf download NAME --local-dir FOLDER`"
)


def requirements(engine: str, settings: Mapping[str, Any]) -> list[Requirement]:
    """Return the requirements of an engine whose setting `model` is a FunASR model's folder."""
    if not settings.get("model"):
        raise UserError(f"engine {engine}: needs the setting `model`, a FunASR model's folder; {_DOWNLOAD}")
    modules = [Requirement("module", name) for name in ("funasr", "torch")]
    return [*modules, Requirement("model", str(settings["model"]))]


def model_folder(model: str) -> Path:
    """Return the folder of `model`.

    Raises:
        UserError: there is none, for example because `model` is a hub's name of a model.
    """
    from ieat_data.engines import weights as models

    try:
        folder = models.resolve(model)
    except models.ModelError as e:
        raise UserError(f"{e}; {_DOWNLOAD}") from None
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder}: has no config.yaml; name a FunASR model's folder")
    return folder


def configuration(folder: Path) -> dict[str, Any]:
    """Return the model's configuration as FunASR reads it: `model`, `model_conf`, `init_param` (checkpoint) etc."""
    with _quiet():
        from funasr.download.download_model_from_hub import download_model

    try:
        with _quiet():
            return dict(download_model(model=str(folder), trust_remote_code=False))
    except Exception as e:  # FunASR asserts; OmegaConf and PyYAML have their own errors
        raise UserError(f"{folder}: FunASR cannot read its configuration: {type(e).__name__}: {one_line(e)}") from None


def load(folder: Path, config: Mapping[str, Any], device: str, unused: Sequence[str] = ()) -> Any:
    """Build FunASR's AutoModel from a folder with this `configuration`.

    Args:
        folder: the model's folder.
        config: as `configuration` returns it.
        device: a torch device.
        unused: prefixes of the names of weights that answers do not depend on: the checkpoint may lack them.

    Raises:
        UserError: the device is absent, a weight is missing or has another shape, the checkpoint holds more than
            tensors, or FunASR cannot build the model.
    """
    import torch

    devices.check(device)
    devices.keep_float32()
    checkpoint = Path(str(config.get("init_param")))
    if not checkpoint.is_file():
        raise UserError(f"{folder}: its configuration names no existing checkpoint (model.pt)")
    # before FunASR opens the checkpoint, as FunASR trusts it
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
                # by default noise is added to the signal: the same clip would give another text
                frontend_conf={"dither": 0.0},
                # FunASR sets torch's number of threads: keep it
                ncpu=torch.get_num_threads(),
                # a configuration may name more models, which FunASR would request from a hub
                vad_model=None,
                punc_model=None,
                spk_model=None,
            )
    except Exception as e:
        raise UserError(f"{folder}: FunASR cannot load it: {type(e).__name__}: {one_line(e)}") from None
    if auto.kwargs["device"] != device:
        raise UserError(f"{folder}: FunASR loaded it on {auto.kwargs['device']!r} instead of {device!r}")
    _check_weights(auto.model, shapes, config.get("scope_map") or (), excluded, checkpoint)
    return auto


def _shapes(checkpoint: Path) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a checkpoint's tensors. Read it as data only: no code in it is run."""
    import torch

    try:
        held = torch.load(checkpoint, map_location="meta", weights_only=True)
        for name in ("state_dict", "model_state_dict", "model"):
            held = held.get(name, held)
    except Exception as e:  # pickle's, zip's and torch's errors
        what = f"{type(e).__name__}: {one_line(e)}"
        raise UserError(f"{checkpoint}: not a checkpoint that holds only tensors: {what}") from None
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
            faults.append(f"{name} has the shape {found}, expected {tuple(weight.shape)}")
    if faults:
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise UserError(f"{checkpoint}: does not fit its config.yaml, weights would be random: {faults[0]}{more}")


def source_name(name: str, held: Collection[str], prefixes: Sequence[str]) -> str:
    """Return the checkpoint's name for a weight of the model, by FunASR's rule.

    `prefixes` are pairs of a prefix in the checkpoint and the model's prefix that replaces it; the last match counts.
    """
    found = name
    for theirs, ours in zip(prefixes[::2], prefixes[1::2], strict=False):
        if name.startswith(ours) and theirs + name.removeprefix(ours) in held:
            found = theirs + name.removeprefix(ours)
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence FunASR: while loading it prints, warns, and configures the root logger for the whole process."""
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
