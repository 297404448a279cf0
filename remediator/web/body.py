"""The body of a request: whole, or refused as too large or as not all there. Nothing is cut without a word."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Request
from gunicorn.http.errors import ChunkMissingTerminator, ParseException
from werkzeug.wsgi import get_content_length

from remediator.errors import InputError, NotificationError, RemediatorError

MOST_DISCARDED = 64 * 1024 * 1024
"""Bytes. The rest of a body that is too large is read and thrown away up to here: a sender that still writes when
its connection is closed sees a reset and no answer, and Alertmanager delivers again after a reset, not after a 413."""
_PIECE = 64 * 1024


class BodyTooLarge(InputError):
    """More bytes than are taken: HTTP 413."""

    def __init__(self, most: int, size: int) -> None:
        super().__init__(f"the body is larger than {most} bytes (--max-body)")
        self.size = size
        """Bytes: as announced, or as many as came of a body that announces nothing."""


class IncompleteBody(RemediatorError):
    """The sender or the network stopped in the middle, which another delivery can mend: HTTP 503."""


def read_body(request: Request, most: int) -> bytes:
    """Read the body, be it with a Content-Length or in chunks.

    `request.get_data` will not do: of chunks it gives the first `most` bytes, as if there were no more
    (werkzeug 3.1 wsgi.py, LimitedStream.readall).

    Args:
        request: the request; its body has not been read.
        most: bytes that a body may have.

    Raises:
        BodyTooLarge: it has more.
        IncompleteBody: it ends before its end.
        NotificationError: its chunks are not as HTTP has them.
    """
    announced = get_content_length(request.environ)
    if announced is None and not request.environ.get("wsgi.input_terminated"):
        return b""  # neither a length nor chunks: there is no body, and to read would be to wait for ever
    body, size, ended = bytearray(), 0, True
    try:
        for piece in _pieces(request, announced, most):
            size += len(piece)
            if size <= most:
                body += piece
    except IncompleteBody:
        ended = False
    size = max(size, announced or 0)
    if size > most:
        raise BodyTooLarge(most, size)
    if announced is not None and len(body) < announced:
        raise IncompleteBody(f"the body is incomplete: {len(body)} of {announced} bytes")
    if not ended:
        raise IncompleteBody("the body is incomplete: its last chunk did not come")
    return bytes(body)


def _pieces(request: Request, announced: int | None, most: int) -> Iterator[bytes]:
    """What comes, up to where it is not worth while."""
    left = most + MOST_DISCARDED if announced is None else min(announced, most + MOST_DISCARDED)
    stream = request.environ["wsgi.input"]
    try:
        while left > 0 and (piece := stream.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece
    except OSError as error:
        raise IncompleteBody(str(error)) from error
    except ParseException as error:
        if isinstance(error, ChunkMissingTerminator) and len(error.term) < 2:
            raise IncompleteBody(str(error)) from error  # the connection ended where a chunk's CRLF should be
        raise NotificationError(f"the body is not chunked as HTTP/1.1 has it: {error}") from error
