"""Whose fault an exception or an answer is: words that gateways, CUDA, Ray and disks really use."""

from __future__ import annotations

import errno
import json
import pickle
from typing import Any

import pytest

from ieat_data import faults
from ieat_data.errors import EngineDied, EngineDown, RowError, UserError
from ieat_data.faults import Kind


class OutOfMemoryError(RuntimeError):
    """As torch.cuda names it."""


class RateLimitError(Exception):
    status_code = 429


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Kind.SERVICE),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Kind.SERVICE),
        (OSError(errno.EIO, "Input/output error"), Kind.SERVICE),
        (OSError(errno.ESTALE, "Stale file handle"), Kind.SERVICE),
        (OSError(errno.EROFS, "Read-only file system"), Kind.SETUP),
        (PermissionError(errno.EACCES, "Permission denied"), Kind.SETUP),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), Kind.SETUP),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), Kind.SERVICE),
        (TimeoutError("timed out"), Kind.SERVICE),
        (MemoryError(), Kind.SERVICE),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), Kind.SERVICE),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), Kind.SERVICE),
        (RuntimeError("std::bad_alloc"), Kind.SERVICE),
        (ModuleNotFoundError("No module named 'opencc'"), Kind.SETUP),
        (EngineDown("gone"), Kind.SERVICE),
        (UserError("no key"), Kind.SETUP),
        (RowError("undecodable_audio", "not audio"), Kind.ROW),
        (RateLimitError("slow down"), Kind.SERVICE),
        (RuntimeError("shape mismatch"), None),
        (ValueError("the transcript says: out of memory, try again"), None),
        (KeyError("timed out"), None),
    ],
)
def test_an_exception_says_whose_fault_it_is(error: Exception, kind: Kind | None) -> None:
    assert faults.of_exception(error) == kind


def test_what_an_exception_was_made_from_counts() -> None:
    outer = RuntimeError("the batch failed")
    outer.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert faults.of_exception(outer) == Kind.SERVICE
    assert faults.is_full(outer)


def test_rays_lost_objects_and_full_disks_are_the_services() -> None:
    of_ray = pytest.importorskip("ray.exceptions")
    lost = of_ray.ObjectLostError("ab", None, "")
    full = of_ray.OutOfDiskError("Local disk is full")
    assert [faults.of_exception(e) for e in (lost, full)] == [Kind.SERVICE] * 2
    bad = of_ray.RayTaskError("call", "Traceback …", ValueError("odd row"))
    assert faults.of_exception(bad) is None


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: an illegal memory access was encountered",
        "CUDA error: device-side assert triggered",
        "CUDA error: unspecified launch failure",
        "CUDA error: uncorrectable ECC error encountered",
        "CUDA error: misaligned address",
        "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=x",
        "CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(...)`",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
        "HIP error: an illegal memory access was encountered",
        "cudaErrorLaunchFailure",
        "NCCL error: unhandled cuda error",
    ],
)
def test_a_device_that_broke_ends_its_process(message: str) -> None:
    assert faults.breaks_process(RuntimeError(message))


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA out of memory"), ValueError("CUDA error: illegal"), MemoryError()]
)
def test_lacking_memory_and_odd_rows_end_no_process(error: Exception) -> None:
    assert not faults.breaks_process(error)


ARREARS = "Arrearage: Access denied, please make sure your account is in good standing"


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "This model's maximum context length is 4096 tokens", Kind.ROW),
        (400, "Background loop has errored already.", Kind.SERVICE),
        (400, "EngineCore encountered an issue. See stack trace for the root cause.", Kind.SERVICE),
        (400, ARREARS, Kind.SETUP),
        (400, "API key not valid. Please pass a valid API key.", Kind.SETUP),
        (400, "Model Not Exist", Kind.SETUP),
        (400, "data_inspection_failed: Input data may contain inappropriate content.", Kind.ROW),
        (401, "Incorrect API key provided", Kind.SETUP),
        (402, "Insufficient Balance", Kind.SETUP),
        (403, "The free tier of the model has been exhausted.", Kind.SETUP),
        (404, "The model `x` does not exist.", Kind.SETUP),
        (404, "<html><head><title>404 Not Found</title></head></html>", Kind.SERVICE),
        (408, "stream timeout", Kind.SERVICE),
        (409, "Conflict", Kind.SERVICE),
        (413, "Request Entity Too Large", Kind.ROW),
        (422, "field required", Kind.ROW),
        (424, "Request failed during generation: Server error", Kind.SERVICE),
        (425, "Too Early", Kind.SERVICE),
        (429, "Rate limit reached for requests", Kind.SERVICE),
        (429, "You exceeded your current quota, please check your plan and billing details.", Kind.SETUP),
        (429, "You exceeded your current quota, check billing. Please retry in 36.6s", Kind.SERVICE),
        (499, "client closed request", Kind.SERVICE),
        (500, "Internal Server Error", Kind.SERVICE),
        (502, "<html>502 Bad Gateway</html>", Kind.SERVICE),
        (529, "overloaded_error: Overloaded", Kind.SERVICE),
    ],
)
def test_a_status_and_its_message_say_whose_fault_it_is(status: int, message: str, kind: Kind) -> None:
    assert faults.of_status(status, message) == kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"message": "Provider returned error", "code": 502}}, Kind.SERVICE),
        ({"error": {"message": "Insufficient credits", "code": 402}}, Kind.SETUP),
        ({"error": "upstream connect error"}, Kind.SERVICE),
        ({"error": {"message": "Rate limit exceeded", "code": 429}}, Kind.SERVICE),
        ({"error": {"message": "invalid api key", "type": "authentication_error"}}, Kind.SETUP),
        ({"object": "error", "message": "boom", "code": 500}, Kind.SERVICE),
        ({"code": "InternalError", "message": "An internal error has occured"}, Kind.SERVICE),
        ({"code": "Arrearage", "message": "Access denied, overdue payment"}, Kind.SETUP),
        ({"error": {"message": "content_filter", "code": 400}}, Kind.ROW),
        (b"<!DOCTYPE html><title>maintenance</title>", Kind.SERVICE),
        (b"", Kind.SERVICE),
    ],
)
def test_a_success_can_hold_an_error(body: Any, kind: Kind) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = faults.of_body("application/json", data)
    assert found is not None
    assert found[0] == kind


@pytest.mark.parametrize(
    "body", [{"choices": [], "error": None}, {"text": "the code says error"}, {"choices": [{"text": "x"}], "code": 0}]
)
def test_an_answer_is_no_error(body: dict[str, Any]) -> None:
    assert faults.of_body("application/json", json.dumps(body).encode()) is None


class _NotHere(Exception):
    """Of a package that only an engine's environment has."""

    __module__ = "torch.cuda"


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        ConnectionResetError("reset by peer"),
        _NotHere("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        EngineDown("gone"),
        UserError("no key"),
        ValueError("nothing of the kind"),
    ],
)
def test_an_exception_says_the_same_after_a_way_between_processes(error: Exception) -> None:
    sent = faults.portable(error)
    assert type(sent).__module__.split(".")[0] in ("builtins", "ieat_data")
    arrived = pickle.loads(pickle.dumps(sent))
    assert faults.of_exception(arrived) is faults.of_exception(error)
    assert faults.breaks_process(arrived) == faults.breaks_process(error) and str(error) in str(arrived)


def test_the_broken_device_of_another_process_breaks_none_that_asks_it() -> None:
    error = EngineDied("its device is broken, so the engine's process ended: CUDA error: device-side assert triggered")
    assert not faults.breaks_process(error), "an engine that calls another one would end itself for it"


def test_what_a_cause_says_is_not_lost_on_the_way() -> None:
    error = RuntimeError("the engine failed")
    error.__cause__ = OSError(28, "No space left on device")
    assert faults.of_exception(pickle.loads(pickle.dumps(faults.portable(error)))) is Kind.SERVICE
