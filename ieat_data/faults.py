"""Whose fault it is: a row's, a service's or the setup's. Decided here for all engines, servers and disks.

    row      it follows the row wherever it is asked: the row is rejected. Only this may be stored or committed
    service  it passes: ask again, back off, wait; then stop, and the same command goes on
    setup    it stays until somebody changes something (key, quota, balance, path, model): stop at once, in one line

Nobody can tell from one error whether it is the row's. So an engine's fault is the service's until it is proven to
follow the row: asked alone it fails, and the same engine answers other requests before and after
(`engines/asking.py`). What an engine can tell from the request alone (audio that cannot be decoded, an empty text)
needs no proof. Exceptions are known by their names and messages: this file imports none of the libraries.
"""

from __future__ import annotations

import enum
import errno
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ieat_data.errors import EngineDown, Retryable, RowError, UserError


class Kind(enum.StrEnum):
    """Whose fault it is."""

    ROW = "row"
    SERVICE = "service"
    SETUP = "setup"


# reasons of failures that say nothing about the row until they are proven to follow it: older builds stored them
UNPROVEN = frozenset(
    {
        "bad_answer",
        "choose_unsupported",
        "engine_error",
        "kills_engine",
        "malformed_answer",
        "not_finite",
        "out_of_memory",
        "oversized_answer",
        "prompt_changed",
        "server_error",
        "server_refused",
        "timeout",
    }
)
# of these, another try with another seed would only cost the engine again what it has just cost
NOT_AGAIN = frozenset({"engine_error", "kills_engine", "out_of_memory", "server_error", "timeout"})
# what `--retry-rejected` asks again if no reasons are named
PASSING = frozenset(UNPROVEN | {"internal_error"}) - {"kills_engine"}

# --- exceptions ---------------------------------------------------------------------------------------------------

_SETUP_ERRNO = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
_FULL_ERRNO = {errno.ENOSPC, errno.EDQUOT}
_SETUP_NAMES = {
    "AuthenticationError",
    "PermissionDeniedError",
    "UnauthenticatedError",
    "RuntimeEnvSetupError",
    "GatedRepoError",
    "RepositoryNotFoundError",
    "RevisionNotFoundError",
    "NoCredentialsError",
    "SSLCertVerificationError",
    "ModuleNotFoundError",
    "ImportError",
}
_SERVICE_NAMES = {
    # torch, CTranslate2, Arrow, Ray and others: memory that another process may hold
    "OutOfMemoryError",
    "OutOfMemory",
    "MemoryError",
    "OutOfDiskError",
    # HTTP clients and SDKs
    "TransportError",
    "TimeoutException",
    "APIConnectionError",
    "APITimeoutError",
    "RateLimitError",
    "InternalServerError",
    "EndpointConnectionError",
    "ConnectionClosedError",
    "ProtocolError",
    # processes
    "EngineDeadError",
    "EngineGenerateError",
    "BrokenProcessPool",
    "BrokenExecutor",
    "CancelledError",
    "TimeoutError",
    "AcceleratorError",
    "GenericError",
}
_OF_CONTENT = (ValueError, TypeError, LookupError, AssertionError, ArithmeticError, AttributeError)
# a CUDA (or HIP) context that raised one of these raises it for ever: only a new process can answer
_BROKEN = re.compile(
    r"(?:cuda|hip|device)[ \w]*(?:error|failure|exception)[^\n]{0,80}"
    r"(?:illegal|misaligned|device-side assert|unspecified launch|launch (?:failure|timed out|failed)|"
    r"invalid (?:device|program)|"
    r"invalid pc|\becc\b|uncorrectable|hardware stack|trap|unknown error|lazy|contained|driver shutting down|"
    r"busy or unavailable)"
    r"|cudaError(?:IllegalAddress|Assert|LaunchFailure|LaunchTimeout|MisalignedAddress|IllegalInstruction|"
    r"ECCUncorrectable|"
    r"HardwareStackError|InvalidPc|InvalidAddressSpace|Unknown|DevicesUnavailable)"
    r"|CUDA_ERROR_(?!OUT_OF_MEMORY)[A-Z_]+"
    r"|CUDA (?:failure|error) ?:? ?(?:46|100|101|214|70[0-9]|71[0-9]|72[0-9]|999)\b"
    r"|device-side assert|an illegal memory access|unspecified launch failure|uncorrectable ECC"
    r"|CU(?:BLAS|DNN|SPARSE|SOLVER|FFT|RAND)_(?:STATUS_)?(?:EXECUTION_FAILED|NOT_INITIALIZED|INTERNAL_ERROR|"
    r"MAPPING_ERROR|LAUNCH_FAILURE)"
    r"|NCCL (?:error|failure)|ncclSystemError|ncclUnhandledCudaError|ncclInternalError"
    r"|GPU (?:is lost|has fallen off the bus|requires reset)|fallen off the bus|\bXid\b|hipError(?!OutOfMemory)\w+",
    re.I,
)
_MEMORY = re.compile(
    r"out of memory|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation|std::bad_alloc|bad allocation|ALLOC_FAILED|"
    r"(?:failed|unable|cannot|can't|could not|couldn't) (?:to )?allocate|not enough memory|"
    r"insufficient (?:gpu |device )?memory",
    re.I,
)
_SPACE = re.compile(
    r"no space left|disk quota exceeded|not enough (?:free )?(?:disk )?space|disk (?:is )?full|OutOfDisk", re.I
)
_PASSES = re.compile(
    r"input/output error|stale (?:nfs )?file handle|connection (?:reset|refused|aborted|closed|timed out|"
    r"error)|broken pipe|"
    r"network is unreachable|no route to host|temporary failure|name resolution|timed? ?out|remote end closed|"
    r"too many open files|resource temporarily unavailable|try again|(?:engine|worker|"
    r"process)[ \w]* (?:is )?(?:dead|died)|"
    r"licen[cs]e server|CUDA error|CUDNN_STATUS|CUBLAS_STATUS",
    re.I,
)


class Told(RuntimeError):
    """An exception of another process, which has its packages and knew whose fault it was: name, text and `kind`."""

    kind: Kind | None = None


def portable(error: Exception) -> Exception:
    """Return an exception that a process without an engine's packages can read: Python's and ours as they are."""
    plain = all(isinstance(x, (str, int, float, bytes, type(None))) for x in error.args)
    if plain and type(error).__module__.partition(".")[0] in ("builtins", "ieat_data") and not _chain_says_more(error):
        return error
    told = Told(f"{type(error).__name__}: {error}")
    told.kind = of_exception(error)
    return told


def _chain_says_more(error: Exception) -> bool:
    return of_exception(error) is not _of_one(error)  # a cause does not travel


def of_exception(error: BaseException) -> Kind | None:
    """Return whose fault an exception is, or None if it does not say so.

    None from an engine is the service's until proven otherwise; None from a stage's own code is a row's.
    """
    return next((kind for e in _chain(error) if (kind := _of_one(e)) is not None), None)


def _of_one(error: BaseException) -> Kind | None:
    if isinstance(error, Told):
        return error.kind
    if isinstance(error, UserError):
        return Kind.SETUP
    if isinstance(error, Retryable):
        return Kind.SERVICE
    if isinstance(error, RowError):
        return Kind.ROW
    if (status := _status(error)) is not None:
        return of_status(status, str(error))
    names = {c.__name__ for c in type(error).__mro__}
    if names & _SETUP_NAMES:
        return Kind.SETUP
    if isinstance(error, OSError) and error.errno is not None:
        return Kind.SETUP if error.errno in _SETUP_ERRNO else Kind.SERVICE
    if isinstance(error, OSError | MemoryError) or names & _SERVICE_NAMES or _of_ray(error):
        return Kind.SERVICE
    if isinstance(error, _OF_CONTENT):
        return None  # the message may quote a row
    text = str(error)
    if breaks_process(error) or _MEMORY.search(text) or _SPACE.search(text) or _PASSES.search(text):
        return Kind.SERVICE
    return None


def breaks_process(error: BaseException) -> bool:
    """Tell whether the process that raised this can answer nothing more: its device's context is broken.

    `EngineDown` tells of another process, which has ended or been asked again already.
    """
    told = (str(e) for e in _chain(error) if not isinstance(e, (*_OF_CONTENT, EngineDown)) and not is_memory(e))
    return any(_BROKEN.search(text) for text in told)


def is_memory(error: BaseException) -> bool:
    """Tell whether memory was lacking, of the device or of the machine."""
    names = {c.__name__ for c in type(error).__mro__}
    return bool(names & {"OutOfMemoryError", "OutOfMemory", "MemoryError"}) or bool(_MEMORY.search(str(error)))


def is_full(error: BaseException) -> bool:
    """Tell whether a disk is full."""
    return any(getattr(e, "errno", None) in _FULL_ERRNO or bool(_SPACE.search(str(e))) for e in _chain(error))


def reason(error: BaseException) -> str:
    """Return the reason code of a row that is proven to cause this exception."""
    if any(is_memory(e) for e in _chain(error)):
        return "out_of_memory"
    return "timeout" if any(isinstance(e, TimeoutError) for e in _chain(error)) else "engine_error"


def _of_ray(error: BaseException) -> bool:
    # a RayTaskError only carries what the task raised: its cause stands in the chain
    return type(error).__module__.startswith("ray.") and not type(error).__name__.startswith("RayTaskError")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, and those that it was made from."""
    seen: set[int] = set()
    todo: list[Any] = [error]
    while todo:
        e = todo.pop(0)
        if isinstance(e, BaseException) and id(e) not in seen:
            seen.add(id(e))
            yield e
            todo += [getattr(e, "cause", None), e.__cause__]


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an exception of a client library carries."""
    response = getattr(error, "response", None)
    for status in (
        getattr(error, "status_code", None),
        getattr(response, "status_code", None),
        response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None,
    ):
        if isinstance(status, int) and 100 <= status < 600:
            return status
    return None


# --- answers of servers -------------------------------------------------------------------------------------------

_KEY_OR_MONEY = re.compile(
    r"insufficient[_ ](?:account )?(?:balance|funds|credits?|user[_ ]quota)|insufficient balance|"
    r"exceeded[_ ](?:your[_ ])?current[_ ]quota|"
    r"(?:balance|credits?) (?:is |are )?(?:too low|insufficient|exhausted|not enough|depleted)|out of credits|"
    r"payment required|\bbilling\b|arrear|overdue|free (?:tier|quota)[^.]{0,60}exhausted|FreeTierOnly|"
    r"budget[^.]{0,40}exceeded|"
    r"account[^.]{0,40}(?:deactivated|suspended|disabled|terminated|banned)|余额不足|欠费|额度不足|额度已用尽|"
    r"(?:invalid|incorrect|expired|missing|no|wrong|disabled|unauthorized)[_ ](?:\w+[_ ])?(?:api[-_ ]?key|"
    r"credentials?)|"
    r"api[-_ ]?key[^.]{0,30}(?:invalid|not valid|incorrect|expired|missing|not found|disabled|revoked)|API_KEY_INVALID|"
    r"organization[^.]{0,40}(?:disabled|restricted)",
    re.I,
)
_NO_MODEL = re.compile(
    r"model[_ ]not[_ ](?:found|exist)|model not exist|DeploymentNotFound|(?:model|deployment)\b.{0,120}"
    r"(?:does not exist|not found|not supported|is not available|no longer available|has been (?:deprecated|retired))|"
    r"unknown model|invalid model(?: name)?\b",
    re.I,
)
_WAIT_A_LITTLE = re.compile(r"retry in|retry after|try again in|per (?:second|minute|hour|day)|rate limit", re.I)
_SERVER_SIDE = re.compile(
    r"engine[ \w]*(?:dead|died|error|crashed|stopped)|EngineDead|EngineCore|background loop|"
    r"internal[_ ]?(?:server[_ ])?error|overloaded|"
    r"temporarily|(?:service|server)[ \w]*(?:unavailable|busy|error|shutting down)|upstream|bad gateway|"
    r"gateway time-?out|"
    r"try again|not ready|still loading|loading model|model is loading|no (?:healthy|available) |maintenance|capacity|"
    r"connection (?:error|reset|refused|aborted)|timed? ?out|out of memory|CUDA|deadline exceeded|throttl|"
    r"rate limit|too many requests|服务繁忙|稍后",
    re.I,
)
_CONTENT = re.compile(
    r"content[_ ]?(?:filter|policy|management)|data_?inspection|DataInspectionFailed|moderation|safety system", re.I
)
_SETUP_STATUS = {401, 402, 405, 407, 410, 415, 501, 505}
_SERVICE_STATUS = {408, 409, 421, 423, 424, 425, 429, 444, 460, 499}


def of_status(status: int, message: str = "") -> Kind:
    """Return whose fault an answer of this HTTP status is, by its message where the status alone does not say it.

    `row` is a suspicion: it needs the proof that the same server answers others.
    """
    if 300 <= status < 400:
        return Kind.SETUP
    if status == 429:  # a limit on the rate, unless there is no money: it passes
        return Kind.SETUP if _KEY_OR_MONEY.search(message) and not _WAIT_A_LITTLE.search(message) else Kind.SERVICE
    if (status >= 500 and status not in _SETUP_STATUS) or status in _SERVICE_STATUS:
        return Kind.SETUP if status < 500 and _KEY_OR_MONEY.search(message) else Kind.SERVICE
    if status in _SETUP_STATUS:
        return Kind.SETUP
    if _CONTENT.search(message):
        return Kind.ROW
    if _KEY_OR_MONEY.search(message) or (status in (400, 403, 404, 422) and _NO_MODEL.search(message)):
        return Kind.SETUP
    if is_page(message):
        return Kind.SERVICE  # a gateway speaks, not the server behind it
    if status in (403, 404):
        return Kind.SETUP
    return Kind.SERVICE if _SERVER_SIDE.search(message) else Kind.ROW


def is_content(message: str) -> bool:
    """Tell whether a server refuses a request for what it says."""
    return bool(_CONTENT.search(message))


def of_body(content_type: str, body: bytes) -> tuple[Kind, str] | None:
    """Return what is wrong with the body of a success, and whose fault that is; None if nothing shows.

    Gateways answer 200 with a page of maintenance, with nothing, or with an error of the server behind them.
    """
    head = body[:512].lstrip()
    if not head:
        return Kind.SERVICE, "an empty answer"
    if content_type.startswith(("text/html", "application/xhtml")) or is_page(head.decode("utf-8", "replace")):
        return Kind.SERVICE, f"a page in place of an answer: {words(body)}"
    if not head.startswith(b"{"):
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None  # the engine says that it cannot be read
    return of_error(value) if isinstance(value, Mapping) else None


def of_error(answer: Mapping[str, Any]) -> tuple[Kind, str] | None:
    """Return what a JSON answer says of an error, and whose fault that is; None if it holds none."""
    if not (error := answer.get("error") or answer.get("errors")):
        if any(k in answer for k in ("choices", "text", "data", "segments", "output")):
            return None
        if not (answer.get("object") == "error" or (("code" in answer or "success" in answer) and _text(answer))):
            return None
        error = answer
    status = next((s for s in _codes(error, answer) if 300 <= s < 600), 500)
    text = _text(error)
    # "500" was not said but taken for want of a number: the words decide alone
    kind = of_status(status, text)
    if kind is Kind.SERVICE and status == 500 and (_KEY_OR_MONEY.search(text) or _NO_MODEL.search(text)):
        kind = Kind.SETUP
    if kind is Kind.SERVICE and _CONTENT.search(text):
        kind = Kind.ROW
    return kind, text


def is_page(text: str) -> bool:
    """Tell whether a body is HTML or XML."""
    return bool(re.match(r"\s*(?:<!doctype|<html|<head|<\?xml|<center|<h1|<title)", text, re.I))


def words(body: bytes) -> str:
    """Return the words of a page, on one line."""
    text = re.sub(r"(?is)<(script|style).*?</\1>|<[^>]*>", " ", body[:4096].decode("utf-8", "replace"))
    return " ".join(text.split())[:200]


def _codes(*objects: Any) -> Iterator[int]:
    for value in objects:
        for name in ("code", "status", "status_code", "http_code"):
            code = value.get(name) if isinstance(value, Mapping) else None
            if isinstance(code, int) or (isinstance(code, str) and code.isdigit()):
                yield int(code)


def _text(error: Any) -> str:
    if isinstance(error, Mapping):
        said = (error.get(k) for k in ("code", "type", "message", "msg", "detail", "error", "error_msg"))
        parts = [s if isinstance(s, str) else json.dumps(s, ensure_ascii=False) for s in said if s not in (None, "")]
        return ": ".join(parts)
    return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
