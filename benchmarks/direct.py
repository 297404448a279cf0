"""A client with one kept-alive connection for each thread: the standard library, nothing more."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from remediator.cluster.watch import PAGE_SIZE
from tests.servers import ApiServer

Json = dict[str, Any]

_JSON: Final = "application/json"
_JSON_PATCH: Final = "application/json-patch+json"
_LIST_END: Final = 1000
"""Bytes of a list in which its metadata stand."""
_TIMEOUT_S: Final = 60.0


class Direct:
    """A client of one server.

    Args:
        connect: makes a connection.
        headers: sent with every request.
    """

    def __init__(self, connect: Callable[[], http.client.HTTPConnection], headers: dict[str, str]) -> None:
        self._connect = connect
        self._headers = headers
        self._own = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    @classmethod
    def to_api(cls, server: ApiServer, user: str) -> Direct:
        """A client of the API server."""
        context = ssl.create_default_context(cafile=str(server.ca_file))
        port, headers = server.port, {"Authorization": f"Bearer {server.tokens[user]}"}
        return cls(lambda: http.client.HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT_S, context=context), headers)

    def close(self) -> None:
        """Close every connection."""
        for connection in self._opened:
            connection.close()

    def get(self, path: str) -> Json:
        """Read an object or a page of a list."""
        return _decoded(self._send("GET", path))

    def create(self, collection: str, body: Json) -> Json:
        """Create an object; what the server made of it."""
        return _decoded(self._send("POST", collection, json.dumps(body).encode(), _JSON))

    def patch(self, path: str, operations: bytes) -> bytes:
        """Send a JSON Patch, and read the answer to its end."""
        return self._send("PATCH", path, operations, _JSON_PATCH)

    def delete(self, path: str) -> None:
        """Delete an object."""
        self._send("DELETE", path)

    def list_all(self, path: str) -> None:
        """Read a list page by page, as the service does, and make nothing of it."""
        token = ""
        while True:
            page = self._send("GET", f"{path}?limit={PAGE_SIZE}&continue={token}")
            # It stands at the end, behind the items.
            found = re.search(rb'"continue":"([^"]+)"', page[-_LIST_END:])
            if found is None:
                return
            token = found[1].decode()

    def _send(self, method: str, path: str, body: bytes | None = None, content_type: str = _JSON) -> bytes:
        headers = {**self._headers, "Content-Type": content_type, "Accept": _JSON}
        connection = self._connection()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in {200, 201}:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return text

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if found is None:
            found = self._connect()
            self._own.connection = found
            self._opened.append(found)
        return found


class Etcd:
    """What lies below the API server, by etcd's JSON gateway."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url).netloc
        self._client = Direct(lambda: http.client.HTTPConnection(address, timeout=_TIMEOUT_S), {})

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def put(self, key: str, value: bytes) -> None:
        """Store a value."""
        self._client.create("/v3/kv/put", {"key": _text(key.encode()), "value": _text(value)})

    def delete_below(self, folder: str) -> None:
        """Delete every key that begins with `folder`, which ends in a slash."""
        end = folder[:-1] + chr(ord("/") + 1)
        self._client.create("/v3/kv/deleterange", {"key": _text(folder.encode()), "range_end": _text(end.encode())})


def encoded(operations: list[Json]) -> bytes:
    """A JSON Patch as it goes over the wire."""
    return json.dumps(operations, separators=(",", ":")).encode()


def _decoded(text: bytes) -> Json:
    body: Json = json.loads(text)
    return body


def _text(data: bytes) -> str:
    return b64encode(data).decode()
