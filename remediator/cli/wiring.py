"""What the service is made of, built from Settings."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Protocol

import remediator
from remediator import logs
from remediator.cli.address import tried
from remediator.cli.news import PolicyNews
from remediator.cli.outside import open_cluster
from remediator.metrics import Metrics
from remediator.notifying import Outbox, RecipientsFile
from remediator.pipeline import Pipeline
from remediator.pipeline.approvals import Approvals
from remediator.pipeline.bounds import bounds_of
from remediator.pipeline.holds import Holds
from remediator.pipeline.housekeeping import Housekeeping
from remediator.pipeline.rollbacks import Rollbacks
from remediator.pipeline.verifying import Verifying
from remediator.policies.load import PolicyStore
from remediator.policies.model import Mode
from remediator.prometheus import Prometheus
from remediator.settings import Settings, shown
from remediator.verification.schedule import Schedule
from remediator.web.app import create_app
from remediator.web.auth import Anonymous, Authenticator, TokenFile
from remediator.web.parts import Parts
from remediator.web.server import Serving, run
from remediator.web.tls import Certificate

_DRAIN_S = 5.0
"""The most that the end waits for what people are being told."""

logger = logging.getLogger(__name__)


class Background(Protocol):
    """What goes on besides the requests."""

    def start(self) -> None:
        """Begin; in the worker process."""

    def stop(self) -> None:
        """End."""


def serve_with(settings: Settings) -> None:
    """Build the service, and serve until SIGTERM; ends the process.

    Raises:
        RemediatorError: something that the settings name cannot be used; nothing was served.
    """
    authenticator, certificate = _authenticator(settings), _certificate(settings)
    store, metrics = PolicyStore(settings.policies), Metrics()
    cluster = open_cluster(settings, metrics.kubernetes_request)
    recipients = _recipients(settings)
    # gunicorn would try for five seconds, and end in its log.
    tried(settings.listen)
    logs.configure(sys.stderr)
    tell_settings(settings)
    executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="target")
    news = PolicyNews(store, logging.getLogger("remediator.policies"))
    pipeline = Pipeline(
        cluster, store, metrics, executor, Mode(settings.mode), bounds_of(settings), bool(settings.prometheus_url)
    )
    pipeline, outbox = told(pipeline, recipients, settings)
    rollbacks = Rollbacks(pipeline)
    # The first is stopped last: what the others say at the end is told too.
    background: tuple[Background, ...] = (*outbox, cluster, news, *_threads(settings, pipeline), rollbacks)
    parts = _parts(settings, rollbacks, pipeline, store, authenticator)

    starting, stopping = partial(_start, background), partial(_stop, background, executor)
    run(create_app(parts), _serving(settings, certificate, parts.draining, starting, stopping))


def _start(background: tuple[Background, ...]) -> None:
    for part in background:
        part.start()


def _stop(background: tuple[Background, ...], executor: ThreadPoolExecutor) -> None:
    for part in reversed(background):
        part.stop()
    executor.shutdown()


def _parts(
    settings: Settings, rollbacks: Rollbacks, pipeline: Pipeline, store: PolicyStore, authenticator: Authenticator
) -> Parts:
    return Parts(
        pipeline=pipeline,
        policies=store,
        cluster=pipeline.cluster,
        metrics=pipeline.metrics,
        authenticator=authenticator,
        max_body=settings.max_body,
        clock=time.time,
        rollbacks=rollbacks,
        known_bad=known_bad(settings),
        ceiling=Mode(settings.mode),
    )


def _recipients(settings: Settings) -> RecipientsFile | None:
    """Who is told; None: nobody. Raises SettingsError."""
    if settings.notify_file is None:
        return None
    return RecipientsFile(settings.notify_file, frozenset(settings.notify_on))


def told(
    pipeline: Pipeline, recipients: RecipientsFile | None, settings: Settings
) -> tuple[Pipeline, tuple[Outbox, ...]]:
    """The pipeline, which tells people what it does, and what brings it to them."""
    if recipients is None:
        return pipeline, ()
    outbox = Outbox(recipients, pipeline.metrics.notices, patience_s=min(_DRAIN_S, settings.shutdown_grace))
    pipeline.cluster.ledger.listener = outbox.hear
    logger.info("people are told what happens", extra={"recipients": recipients.described()})
    return replace(pipeline, told=outbox.tell), (outbox,)


def _threads(settings: Settings, pipeline: Pipeline) -> tuple[Housekeeping, Approvals, Holds, Verifying]:
    """What goes on besides the requests."""
    return (
        Housekeeping(pipeline.cluster, _retention(settings), pipeline.clock.now),
        Approvals(pipeline),
        Holds(pipeline, gitops_pause=settings.gitops_pause),
        _verifying(settings, pipeline),
    )


def _retention(settings: Settings) -> timedelta | None:
    return timedelta(seconds=settings.retention) if settings.retention else None


def known_bad(settings: Settings) -> timedelta | None:
    """How long the gate holds a version back; None: as long as there is the record."""
    return timedelta(seconds=settings.known_bad) if settings.known_bad else None


def _verifying(settings: Settings, pipeline: Pipeline) -> Verifying:
    return Verifying(
        pipeline.cluster,
        Prometheus(settings.prometheus_url) if settings.prometheus_url else None,
        Schedule(timedelta(seconds=settings.verify_within)),
        now=pipeline.clock.now,
        counted=pipeline.metrics.verification,
    )


def _serving(
    settings: Settings,
    certificate: Certificate | None,
    draining: threading.Event,
    on_start: Callable[[], None],
    on_stop: Callable[[], None],
) -> Serving:
    return Serving(
        listen=settings.listen,
        threads=settings.threads,
        grace_s=settings.shutdown_grace,
        draining=draining,
        on_start=on_start,
        on_stop=on_stop,
        certificate=certificate,
    )


def _authenticator(settings: Settings) -> Authenticator:
    return TokenFile(settings.token_file) if settings.token_file else Anonymous()


def _certificate(settings: Settings) -> Certificate | None:
    cert_file, key_file = settings.tls_cert_file, settings.tls_key_file
    return Certificate(cert_file, key_file) if cert_file and key_file else None


def tell_settings(settings: Settings) -> None:
    """Log every setting and where it was found; and loudly, if nobody is asked for a token."""
    values = {name: {"value": value, "from": settings.origins[name]} for name, value in shown(settings).items()}
    logger.info("remediator %s starts", remediator.__version__, extra={"settings": values})
    if settings.allow_anonymous:
        logger.warning(
            "ANONYMOUS: no token is asked for; whoever reaches %s can have traffic taken away. "
            "Give a --token-file instead of %s",
            settings.listen,
            settings.origins["allow-anonymous"],
        )
