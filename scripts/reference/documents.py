"""docs/reference/manifest.md: the keys of the files that stand beside samples and exports."""

from __future__ import annotations

from pydantic import BaseModel

from ieat_data.data import schema
from ieat_data.dataset import documents
from ieat_data.dataset.verification import form
from scripts.reference.keys import keys
from scripts.reference.markdown import bare, page

_NESTED: tuple[type[BaseModel], ...] = (
    form.Shard,
    form.Config,
    documents.Stage,
    documents.SourceTerms,
    documents.Engine,
    documents.Model,
)


def make() -> str:
    intro = f"""
`manifest.json` says everything about a dataset folder. Its `schema_version` is **{schema.VERSION}**; what may change
without a new one stands in [the format](../format.md). Readers ignore keys that they do not know.
JSON Schemas: [manifest.json](schemas/manifest.schema.json), [export.json](schemas/export.schema.json).
"""
    nested = [s for model in _NESTED for s in (f"### {model.__name__}", bare(model.__doc__ or ""), keys(model))]
    return page(
        "Manifest and export.json",
        intro,
        "## manifest.json",
        keys(documents.Manifest),
        "## Blocks of the manifest",
        *nested,
        "## export.json",
        "`ieat export` writes it beside the rows. With `--split`, what stands under *Part* is in `splits`, a block for "
        "each split; without, it stands beside these keys.",
        keys(documents.Export),
        "### Part",
        bare(documents.Part.__doc__ or ""),
        keys(documents.Part),
    )
