"""What the hub or the way there refused while a dataset was pushed, as one line: what, where, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ieat_data.corpora.io.hub import endpoint
from ieat_data.errors import UserError
from ieat_data.masking import masked

_CLIENTS = frozenset(
    {"httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3"}
)  # of huggingface_hub's releases
_AGAIN = "run the same command again, it goes on from what is there"
TOKEN = "set HF_TOKEN to a token with the right to write (your settings on the hub), or run `hf auth login`"


def told(error: Exception, repo: str) -> UserError | None:
    """Return the user's error for what huggingface_hub raised; None if it is a bug of ours."""
    from huggingface_hub import errors

    chain = list(_chain(error))
    if any(isinstance(e, errors.OfflineModeIsEnabled) for e in chain):
        return UserError(f"{repo}: HF_HUB_OFFLINE is set: unset it to push")
    if any(isinstance(e, errors.HFValidationError) for e in chain):
        return UserError(f"{repo}: no name of a repository: write OWNER/NAME")
    for e in chain:
        if (status := getattr(getattr(e, "response", None), "status_code", None)) is not None:
            return UserError(_refused(status, repo, e))
    for e in chain:
        if type(e).__module__.partition(".")[0] in _CLIENTS or isinstance(e, (ConnectionError, TimeoutError)):
            return UserError(f"{repo}: {_server()} does not answer ({_said(e)}): see to the network, then {_AGAIN}")
    if isinstance(error, ValueError):  # what the hub says of a card, or of a file that it does not take
        return UserError(f"{repo}: {_server()} refused it: {_said(error)}")
    if any(type(e).__module__.partition(".")[0] == "hf_xet" for e in chain):
        return UserError(
            f"{repo}: the upload broke off ({_said(error)}): {_AGAIN}; HF_HUB_DISABLE_XET=1 uploads without xet"
        )
    return None


def _refused(status: int, repo: str, error: BaseException) -> str:
    if status == 401:
        return f"{repo}: {_server()} does not take your token (401): {TOKEN}"
    if status == 403:
        return f"{repo}: your token may not do this (403, {_said(error)}): use one that may write to {repo}"
    if status == 404:
        return f"{repo}: {_server()} does not know it, or your token may not see it (404): check its name and the token"
    if status == 412:
        return f"{repo}: somebody else has changed it meanwhile (412): {_AGAIN}"
    if status == 429:
        return f"{repo}: {_server()} takes no more requests from you for a while (429): wait, then {_AGAIN}"
    if status >= 500:
        return f"{repo}: {_server()} has a fault of its own ({status}): {_AGAIN}"
    return f"{repo}: {_server()} refused the request ({status}, {_said(error)})"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _said(error: BaseException) -> str:
    said = getattr(error, "server_message", None) or str(error) or type(error).__name__
    words = " ".join(str(said).split())
    return masked(words if len(words) <= 200 else f"{words[:200]}…")


def _server() -> str:
    return urlsplit(endpoint() or "").netloc.rpartition("@")[2] or "the Hugging Face hub"
