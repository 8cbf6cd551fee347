"""Files on a local disk."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ieat_data.storage.local import replace_file


def test_a_pipe_is_written_to_not_replaced(tmp_path: Path) -> None:
    """As root, a file put in the place of /dev/null takes it away from the whole machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()), daemon=True)
    reader.start()
    replace_file(pipe, b"{}\n")
    reader.join(30)
    assert found == [b"{}\n"]
    assert pipe.is_fifo()


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with path.open("rb") as before:
        replace_file(path, b"new")
        assert before.read() == b"old"
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
