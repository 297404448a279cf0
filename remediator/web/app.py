"""The application: who may ask, which headers every answer has, and how errors are told. No globals."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from remediator.errors import ClusterError
from remediator.logs import cut
from remediator.web.api import api_routes
from remediator.web.asking import RequestError
from remediator.web.auth import AuthVerdict
from remediator.web.body import BodyTooLarge, IncompleteBody
from remediator.web.flagger import flagger_routes
from remediator.web.gate import gate_routes
from remediator.web.openapi import openapi_routes
from remediator.web.pages import page_routes
from remediator.web.parts import Parts
from remediator.web.probes import probe_routes
from remediator.web.query import QueryError
from remediator.web.remediations import remediation_routes
from remediator.web.webhook import webhook_routes

logger = logging.getLogger(__name__)

OPEN = frozenset({"probes.healthz", "probes.readyz", "probes.metrics"})
"""The endpoints that need no token. All others do, also those that someone adds later."""

HOOKS = frozenset({"gate.hook", "flagger.hook"})
"""The endpoints whose senders can send no header: their token is the last segment of the path, `token`."""

_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_REFUSALS = {
    AuthVerdict.TOKEN_MISSING: "no token: send `Authorization: Bearer TOKEN`",
    AuthVerdict.TOKEN_NOT_ACCEPTED: "the token is not accepted: it must be one of those in the service's token file",
}


def create_app(parts: Parts) -> Flask:
    """Build the application of `parts`. Starts nothing."""
    app = _Discreet("remediator.web", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # Answers are read by people, too: keep the order in which they are written.
    app.json.sort_keys = False  # type: ignore[attr-defined] # the default provider's
    # `//webhook` is not found, rather than redirected: Alertmanager would follow, and lose the POST's body.
    app.url_map.merge_slashes = False
    _refuse_strangers(app, parts)
    _tell_errors(app)
    asked = (webhook_routes, gate_routes, flagger_routes)
    for routes in (*asked, probe_routes, api_routes, remediation_routes, page_routes):
        app.register_blueprint(routes(parts))
    app.register_blueprint(openapi_routes())
    app.after_request(_harden)
    return app


class _Discreet(Flask):
    """Logs a bug without the path that was asked for, where what may be a token is a part of it."""

    def log_exception(self, exc_info: Any) -> None:
        """As Flask's."""
        self.logger.error("internal error at %s %s", request.method, _told_path(), exc_info=exc_info)


def _told_path() -> str:
    """The path of the request, for the log: of a hook, the rule that it follows."""
    return str(request.url_rule) if request.endpoint in HOOKS else request.path


def _refuse_strangers(app: Flask, parts: Parts) -> None:
    @app.before_request
    def authenticate() -> ResponseReturnValue | None:
        # No endpoint: the answer is 404 or 405, and tells nothing.
        if request.endpoint is None or request.endpoint in OPEN:
            return None
        if request.endpoint in HOOKS:
            verdict = parts.authenticator.check_hook((request.view_args or {})["token"])
        else:
            verdict = parts.authenticator.check(request.headers.get("Authorization"))
        if verdict is not AuthVerdict.ACCEPTED:
            return _unauthorized(verdict)
        if _sent_by_another_site():
            return jsonify(error="requests from the pages of other sites are refused"), 403
        return None


def _unauthorized(verdict: AuthVerdict) -> Response:
    about = {"path": _told_path(), "remote": request.remote_addr, "reason": verdict.value}
    logger.warning("request refused", extra=about)
    response = jsonify(error=_REFUSALS[verdict], reason=verdict.value)
    response.status_code = 401
    response.headers["WWW-Authenticate"] = 'Bearer realm="remediator"'
    if request.endpoint == "pages.page":
        # So that a browser asks its user: any name, and the token as the password.
        response.headers.add("WWW-Authenticate", 'Basic realm="remediator", charset="UTF-8"')
    return response


def _sent_by_another_site() -> bool:
    """Whether a browser sent this for a page of another site, with the password that it keeps for us."""
    if request.method in {"GET", "HEAD"}:
        return False
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return True
    return request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}


def _tell_errors(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        response = error.get_response()
        response.data = app.json.dumps({"error": _sentence(error)})
        response.content_type = "application/json"
        return response

    @app.errorhandler(QueryError)
    @app.errorhandler(RequestError)
    def wrong(error: QueryError | RequestError) -> ResponseReturnValue:
        return jsonify(error=str(error)), 400

    @app.errorhandler(BodyTooLarge)
    def too_large(error: BodyTooLarge) -> ResponseReturnValue:
        return jsonify(error=str(error)), 413

    @app.errorhandler(IncompleteBody)
    def incomplete(error: IncompleteBody) -> ResponseReturnValue:
        return jsonify(error=str(error)), 503

    @app.errorhandler(ClusterError)
    def cluster_error(error: ClusterError) -> ResponseReturnValue:
        return jsonify(error=cut(str(error), 500)), 503


def _sentence(error: HTTPException) -> str:
    if error.code == 404:
        return "no such path; GET /openapi.json lists those there are"
    if error.code == 405:
        return f"{request.method} is not answered here; see the header Allow"
    if error.code is not None and error.code >= 500:
        return "an error of ours; the log says more"
    return (error.description or error.name).rstrip(".")


def _harden(response: Response) -> Response:
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response
