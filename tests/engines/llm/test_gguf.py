from __future__ import annotations

from pathlib import Path

import pytest

from ieat_data.engines.llm.gguf import read_metadata
from ieat_data.engines.llm.llamacpp import gguf_file
from ieat_data.engines.llm.tokenizer import Tokenizer
from ieat_data.errors import UserError

from . import tiny


def test_metadata_of_every_kind_is_read(tmp_path: Path) -> None:
    metadata = read_metadata(tiny.write_gguf(tmp_path / "m.gguf"))
    assert metadata["general.architecture"] == "qwen2"
    assert metadata["qwen2.block_count"] == 28
    assert metadata["qwen2.rope.freq_base"] == 1e6
    assert metadata["tokenizer.ggml.add_bos_token"] is False
    assert metadata["tokenizer.ggml.tokens"][-1] == "[PAD]"


def test_the_tokenizer_in_a_gguf_file_is_the_one_it_was_made_from(tmp_path: Path) -> None:
    from_gguf = Tokenizer.load(tiny.write_gguf(tmp_path / "m.gguf"), tiny.descriptor())
    from_json = Tokenizer(tiny.spec(), tiny.descriptor())
    for text in [*tiny.TEXTS, "e\u0301 </think>\n", "a  b\n\n c"]:
        assert from_gguf.encode_plain(text) == from_json.encode_plain(text)
        assert from_gguf.encode_control(text) == from_json.encode_control(text)


@pytest.mark.parametrize("cut", [2, 10, 200, 3000])
def test_a_file_that_ends_early_is_one_clear_line(tmp_path: Path, cut: int) -> None:
    path = tiny.write_gguf(tmp_path / "m.gguf")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError, match="not a readable GGUF file") as e:
        read_metadata(path)
    assert "\n" not in str(e.value)


def test_lengths_that_lie_are_refused(tmp_path: Path) -> None:
    path = tiny.write_gguf(tmp_path / "m.gguf")
    data = bytearray(path.read_bytes())
    data[24:32] = (1 << 60).to_bytes(8, "little")  # length of the first key
    path.write_bytes(data)
    with pytest.raises(UserError, match="past the end"):
        read_metadata(path)


@pytest.mark.parametrize("fields", [{"pre": "llama-bpe"}, {"kind": "llama"}])
def test_other_tokenizers_are_refused(tmp_path: Path, fields: dict[str, str]) -> None:
    path = tiny.write_gguf(tmp_path / "m.gguf", **fields)
    with pytest.raises(UserError, match="is not supported"):
        Tokenizer.load(path, tiny.descriptor())
    with pytest.raises(UserError, match="version 9"):
        read_metadata(tiny.write_gguf(path, version=9))


def test_a_folder_stands_for_its_only_gguf_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds 0 GGUF files"):
        gguf_file(tmp_path)
    one = tiny.write_gguf(tmp_path / "one.gguf")
    assert gguf_file(tmp_path) == gguf_file(one) == one
    tiny.write_gguf(tmp_path / "two.gguf")
    with pytest.raises(UserError, match="holds 2 GGUF files"):
        gguf_file(tmp_path)
