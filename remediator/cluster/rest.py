"""Requests to the API server: one typed call each, over the connections that the `kubernetes` package configures.

The package's own calls are not used: not every version can send a JSON Patch under its right Content-Type
(kubernetes-client/python#2039), and none has a time-out unless told. Whatever goes wrong leaves here as an
error of ours (failures.py).
"""

from __future__ import annotations

import copy
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError, ReadTimeoutError

from remediator import __version__
from remediator.cluster.call import Call
from remediator.cluster.failures import LONGEST_MESSAGE, Stalled, failure
from remediator.errors import Unauthenticated, Unavailable

Observe = Callable[[str, str, str, float], None]
"""Told of each request: verb and resource as an RBAC rule names them, HTTP code or `error`, seconds to the answer."""

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
_SUCCESS = frozenset({200, 201, 202})
_CHUNK = 1 << 16


class Lines:
    """The lines of an answer as they come. A context manager; `cancel` may be called from any thread."""

    def __init__(self, response: urllib3.BaseHTTPResponse, host: str) -> None:
        self._response = response
        self._host = host

    def __iter__(self) -> Iterator[bytes]:
        """Yield each complete, non-empty line without its end.

        Raises:
            Stalled: nothing came within the time-out. Unavailable: the answer broke off.
        """
        rest = b""
        while chunk := self._read():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from filter(None, lines)
        if rest:
            raise Unavailable(f"the answer of {self._host} ended in the middle of a line")

    def _read(self) -> bytes:
        try:
            return self._response.read1(_CHUNK)
        except ReadTimeoutError as error:
            raise Stalled(f"{self._host} has been silent for too long") from error
        except (HTTPError, OSError, ValueError) as error:  # ValueError: cancelled from another thread
            raise Unavailable(f"the answer of {self._host} broke off: {_words(error)}") from error

    def cancel(self) -> None:
        """Wake the thread that waits for the next line; its iteration ends."""
        try:
            self._response.shutdown()
        except (OSError, ValueError, RuntimeError):
            return  # it is over already

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._response.close()


def unobserved(verb: str, resource: str, code: str, seconds: float) -> None:
    """An `Observe` that does nothing."""


class Rest:
    """A client of one API server, for use by many threads.

    Args:
        configuration: address and credentials; copied.
        connect_timeout, read_timeout: seconds. A read time-out counts anew with every byte that comes.
        connections: how many to keep alive: threads plus watches, at least. More are opened where needed.
        observe: told of each request.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        connect_timeout: float = 3.0,
        read_timeout: float = 10.0,
        connections: int = 64,
        observe: Observe = unobserved,
    ) -> None:
        configuration = copy.deepcopy(configuration)
        configuration.connection_pool_maxsize = connections
        configuration.keep_alive = True  # TCP keep-alive: finds half-open connections that are idle in the pool
        self._host = configuration.host
        self._client = ApiClient(configuration)
        self._pool: urllib3.PoolManager = self._client.rest_client.pool_manager
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._observe = observe

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON) -> dict[str, Any]:
        """Read an object or a page of a list, in the form `accept`. Raises as `failures.failure` says."""
        call = Call("GET", path, query or {}, headers={"Accept": accept})
        return _decoded(self._send(call), self._host)

    def patch(
        self, path: str, operations: Sequence[Mapping[str, Any]], query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Send a JSON Patch; return the object as it then is.

        Unavailable does not mean that nothing was done: plan again on what is there. Raises as `failures.failure` says.
        """
        call = Call("PATCH", path, query or {}, encode(operations), {"Content-Type": JSON_PATCH})
        return _decoded(self._send(call), self._host)

    def post(self, path: str, body: Mapping[str, Any], query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Create an object in the collection at `path`; return it as the server made it. Raises as `patch`."""
        call = Call("POST", path, query or {}, encode(body), {"Content-Type": JSON})
        return _decoded(self._send(call), self._host)

    def delete(self, path: str, preconditions: Mapping[str, str]) -> None:
        """Delete an object, if `preconditions` (its uid, its resourceVersion) hold. Raises as `patch`."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": dict(preconditions)}
        self._send(Call("DELETE", path, {}, encode(body), {"Content-Type": JSON}))

    def stream(self, path: str, query: Mapping[str, str], read_timeout: float) -> Lines:
        """Open an answer without an end, in which silence of `read_timeout` seconds is an error.

        Its beginning has to come as quickly as any other answer. Raises as `failures.failure` says.
        """
        response = self._send(Call("GET", path, query), whole=False)
        sock: socket.socket | None = getattr(response.connection, "sock", None)
        if sock is not None:  # the answer owns it where the server keeps no connections
            sock.settimeout(read_timeout)
        return Lines(response, self._host)

    def close(self) -> None:
        """Close the connections that are idle. More are opened where needed."""
        self._pool.clear()

    def _send(self, call: Call, *, whole: bool = True) -> urllib3.BaseHTTPResponse:
        begin = perf_counter()
        code = "error"
        try:
            response = self._exchange(call, whole=whole)
            code = str(response.status)
        finally:
            self._observe(call.verb, call.resource, code, perf_counter() - begin)
        if response.status in _SUCCESS:
            return response
        raise failure(response.status, self._status(response), call.verb, call.resource)

    def _exchange(self, call: Call, *, whole: bool) -> urllib3.BaseHTTPResponse:
        headers = {**self._headers(), **call.headers}
        try:
            return self._pool.urlopen(
                call.method,
                self._host + call.url,
                body=call.body,
                headers=headers,
                timeout=urllib3.Timeout(connect=self._connect_timeout, read=self._read_timeout),
                retries=False,
                redirect=False,
                preload_content=whole,
            )
        except (HTTPError, OSError, ValueError) as error:  # ValueError: a token that no header can hold
            if isinstance(error, ReadTimeoutError):
                # The peer may be lost, and then every idle connection leads to nowhere: each would cost a time-out.
                self.close()
            raise Unavailable(f"no answer from {self._host}: {_words(error)}") from error

    def _headers(self) -> dict[str, str]:
        """The credentials as they are now: a token in rotation is read again (kubernetes.config)."""
        headers: dict[str, str] = {}
        try:
            self._client.update_params_for_auth(headers, [], ["BearerToken"], "", "", None)
        except (ConfigException, OSError) as error:
            raise Unauthenticated(f"the credentials for {self._host} cannot be read: {_words(error)}") from error
        # A token file may end in a line feed, which no header may hold.
        headers = {name: value.strip() for name, value in headers.items() if value}
        return headers | {"Accept": "application/json", "User-Agent": f"remediator/{__version__}"}

    def _status(self, response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        """The Status that an answer of failure carries, or one made of its text."""
        try:
            text = response.data
        except (HTTPError, OSError):
            text = b""
        try:
            status = json.loads(text)
        except (ValueError, RecursionError):
            status = None
        if isinstance(status, dict) and status.get("kind") == "Status":
            return status
        return {"message": text[:LONGEST_MESSAGE].decode(errors="replace").strip()}


def encode(body: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> bytes:
    """Write an object or a JSON Patch as the API server itself would write the values.

    A `test` of a string compares the text of both JSON documents (evanphx/json-patch v4, lazyNode.equal). Go
    leaves letters beyond ASCII as they are, but escapes these five characters (encoding/json, HTMLEscape).
    Half a surrogate pair, as a command line may bring, is no letter, and becomes a question mark.
    """
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return re.sub(r"[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text).encode("utf-8", "replace")


def _decoded(response: urllib3.BaseHTTPResponse, host: str) -> dict[str, Any]:
    try:
        body = json.loads(response.data)
    except (ValueError, RecursionError) as error:
        raise Unavailable(f"the answer of {host} is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise Unavailable(f"the answer of {host} is no JSON object")
    return body


def _words(error: BaseException) -> str:
    """An error's text without the connection object that urllib3 puts before it."""
    return re.sub(r"^\w+\(.*?\): ", "", str(error)) or type(error).__name__
