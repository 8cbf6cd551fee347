"""`--json`: what a command tells, for another program. Nothing else comes on stdout; keys stay what they are."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer


def json_option(keys: str) -> Any:
    """Return the option `--json` of a command. `keys`: those of its object, as its help lists them."""
    return typer.Option("--json", help=f"Print JSON alone on stdout, with the keys {keys}.")


def put(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")
