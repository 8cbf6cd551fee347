"""What SECURITY.md promises of the code: nothing is unpickled or evaluated, and no code of a model folder is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "ieat_data"
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "yaml.unsafe_load", "yaml.full_load", "os.system"}


def faults(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"imports {n}" for n in names if n.partition(".")[0] in UNSAFE_MODULES)
        elif isinstance(node, ast.Call):
            called, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
            if called in UNSAFE_CALLS:
                yield f"calls {called}"
            if called == "torch.load" and given.get("weights_only") != "True":
                yield "torch.load without weights_only=True"
            if called in ("np.load", "numpy.load") and given.get("allow_pickle", "False") != "False":
                yield "numpy.load with allow_pickle"
            if given.get("trust_remote_code", "False") != "False":
                yield "trust_remote_code"
            if given.get("shell", "False") != "False":
                yield "a shell"
            if called == "yaml.load" and "_YAML" not in ast.unparse(node):
                yield "yaml.load without the safe loader"


def test_the_package_does_nothing_of_what_is_promised_against() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 200
    found = {str(p): list(faults(p.read_text(encoding="utf-8"))) for p in files}
    assert {p: f for p, f in found.items() if f} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "np.load(file, allow_pickle=True)",
        "AutoModel(folder, trust_remote_code=True)",
        "subprocess.run(line, shell=True)",
        "yaml.load(text, yaml.Loader)",
    ],
)
def test_what_is_promised_against_would_be_found(line: str) -> None:
    assert list(faults(line))
