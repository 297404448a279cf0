"""From the text of alertmanager.yml to its routing tree, or to every fault in what is read of it.

`amtool check-config` checks the rest (prometheus/alertmanager config/config.go; docs/configuration.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from remediator.checking.findings import Where
from remediator.checking.routing import Configuration, Inhibition, Receiver, Route, Times, Webhook
from remediator.errors import Fault
from remediator.policies.fields import found
from remediator.policies.matchers import Matcher, Op, parse_matchers
from remediator.policies.strict_yaml import Document, read_documents
from remediator.rules.reading import ALLOWED, Place, below

_ROUTE_KEYS = (
    "receiver", "group_by", "group_wait", "group_interval", "repeat_interval", "continue", "matchers", "match",
    "match_re", "mute_time_intervals", "active_time_intervals", "routes",
)  # fmt: skip
_AUTHORIZATIONS = ("authorization", "basic_auth", "oauth2", "bearer_token", "bearer_token_file")


def read_configuration(text: str, file: str) -> Configuration | tuple[Fault, ...]:
    """Read Alertmanager's configuration file.

    Args:
        text: YAML, one document.
        file: its path, for faults and findings.
    """
    documents = tuple(read_documents(text, file, ALLOWED)) or (Document(1, None, ()),)
    faults = [fault for document in documents for fault in document.faults]
    if faults:
        return tuple(faults)
    place = Place(file, documents[0])
    read = _Reader(place).configuration(documents[0].value)
    return tuple(place.faults) or read


class _Reader:
    """Reads one document; what is wrong is noted in its place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._authorized = False

    def configuration(self, value: object) -> Configuration:
        """The whole file."""
        place = self._place
        body = place.mapping({} if value is None else value, "")
        if body.get("kind") == "AlertmanagerConfig":
            hint = "the operator puts its part and others' together: kubectl get secret alertmanager-NAME-generated"
            place.fault("kind", "an AlertmanagerConfig is only a part of the configuration", hint)
        elif "route" not in body:
            place.fault("", "no `route:` in it", "give the file that Alertmanager is started with")
        if place.faults:
            return Configuration(place.file, Route(""))
        self._authorized = self._authorizes(place.mapping(body.get("global") or {}, "global"), "global")
        receivers = [self._receiver(key, each) for key, each in place.items(body.get("receivers", ()), "receivers")]
        rules = place.items(body.get("inhibit_rules") or (), "inhibit_rules")
        root = self._route(body.get("route", {}), "route", Route(""))
        self._check_receivers(root, {receiver.name for receiver in receivers})
        return Configuration(
            place.file,
            root,
            {receiver.name: receiver for receiver in receivers},
            tuple(self._inhibition(key, each) for key, each in rules),
        )

    def _where(self, key: str) -> Where:
        return Where(self._place.file, self._place.line(key), key)

    def _check_receivers(self, route: Route, known: set[str]) -> None:
        if route.receiver not in known:
            key = route.where.subject
            self._place.fault(key, f"no receiver {route.receiver!r}", f"known: {', '.join(sorted(known)) or 'none'}")
        for child in route.routes:
            self._check_receivers(child, known)

    def _route(self, value: object, key: str, parent: Route) -> Route:
        place = self._place
        body = place.mapping(value, key)
        place.known(body, key, _ROUTE_KEYS)
        intervals = [
            name
            for kind in ("mute_time_intervals", "active_time_intervals")
            for name in self._texts(body.get(kind), below(key, kind))
        ]
        receiver = body.get("receiver", parent.receiver)
        here = Route(
            receiver=place.text(receiver, below(key, "receiver")) if "receiver" in body else parent.receiver,
            times=self._times(body, key, parent.times),
            matchers=self._matchers(body, key, ("matchers", "match", "match_re")),
            continues=self._boolean(body, key, "continue", default=False),
            muted=tuple(intervals),
            where=self._where(key),
        )
        children = place.items(body.get("routes") or (), below(key, "routes"))
        return replace(here, routes=tuple(self._route(each, item_key, here) for item_key, each in children))

    def _times(self, body: Mapping[str, object], key: str, parent: Times) -> Times:
        grouping = self._texts(body.get("group_by"), below(key, "group_by")) if body.get("group_by") else None
        return Times(
            group_by=parent.group_by if grouping is None else grouping,
            group_wait=self._duration(body, key, "group_wait", parent.group_wait),
            group_interval=self._duration(body, key, "group_interval", parent.group_interval),
            repeat_interval=self._duration(body, key, "repeat_interval", parent.repeat_interval),
        )

    def _duration(self, body: Mapping[str, object], key: str, name: str, default: timedelta) -> timedelta:
        return self._place.duration(body[name], below(key, name)) if body.get(name) is not None else default

    def _boolean(self, body: Mapping[str, object], key: str, name: str, *, default: bool) -> bool:
        value = body.get(name, default)
        if isinstance(value, bool):
            return value
        self._place.fault(below(key, name), f"expected true or false, found {found(value)}", "write it without quotes")
        return default

    def _texts(self, value: object, key: str) -> tuple[str, ...]:
        if value is None:
            return ()
        return tuple(self._place.text(each, item_key) for item_key, each in self._place.items(value, key))

    def _matchers(self, body: Mapping[str, object], key: str, names: tuple[str, str, str]) -> tuple[Matcher, ...]:
        """The matchers under the three keys in which they may stand: as a list, as equalities, as expressions."""
        lines, equal, like = names
        read: list[Matcher] = []
        for item_key, line in self._place.items(body.get(lines) or (), below(key, lines)):
            try:
                read += parse_matchers(self._place.text(line, item_key))
            except ValueError as error:
                self._place.fault(item_key, str(error))
        for name, op in ((equal, Op.EQUAL), (like, Op.MATCHES)):
            for label, value in self._place.texts(body.get(name), below(key, name)).items():
                try:
                    read.append(Matcher(label, op, value))
                except ValueError as error:
                    self._place.fault(below(below(key, name), label), str(error))
        return tuple(read)

    def _inhibition(self, key: str, value: object) -> Inhibition:
        body = self._place.mapping(value, key)
        return Inhibition(
            source=self._matchers(body, key, ("source_matchers", "source_match", "source_match_re")),
            target=self._matchers(body, key, ("target_matchers", "target_match", "target_match_re")),
            equal=self._texts(body.get("equal"), below(key, "equal")),
            where=self._where(key),
        )

    def _receiver(self, key: str, value: object) -> Receiver:
        body = self._place.mapping(value, key)
        webhooks = self._place.items(body.get("webhook_configs") or (), below(key, "webhook_configs"))
        return Receiver(
            name=self._place.text(body.get("name", ""), below(key, "name")),
            webhooks=tuple(self._webhook(item_key, each) for item_key, each in webhooks),
            where=self._where(key),
        )

    def _webhook(self, key: str, value: object) -> Webhook:
        body = self._place.mapping(value, key)
        most = body.get("max_alerts", 0)
        if not isinstance(most, int):
            self._place.fault(below(key, "max_alerts"), f"expected a whole number, found {found(most)}")
            most = 0
        return Webhook(
            url=self._place.text(body.get("url", ""), below(key, "url")),
            send_resolved=self._boolean(body, key, "send_resolved", default=True),
            max_alerts=most,
            authorized=self._authorizes(body, key) if "http_config" in body else self._authorized,
            where=self._where(key),
        )

    def _authorizes(self, body: Mapping[str, object], key: str) -> bool:
        """Whether the `http_config` in a mapping sends something that tells who it is."""
        http = self._place.mapping(body.get("http_config") or {}, below(key, "http_config"))
        return any(http.get(name) for name in _AUTHORIZATIONS)
