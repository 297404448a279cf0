"""Values with which the chart is tried: each choice of each switch beside each of every other one."""

from __future__ import annotations

from collections.abc import Mapping

from tests.chart.covering import pairwise
from tests.chart.helm import Json, merged

POLICY = """\
apiVersion: remediator.io/v1alpha1
kind: RemediationPolicy
metadata: {name: shop}
spec:
  matchers: ['team = "shop"']
  actions: [RevertToStable]
"""
RULES = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: remediator-mesh-wide}
spec:
  groups:
  - name: own
    rules:
    - {alert: Own, expr: 'vector(1) > 2', annotations: {summary: '{{ $value }}'}}
"""
CLOSE = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}


def switch(path: str, *, default: bool) -> tuple[Json, Json]:
    """A boolean as it is by default, and the other way round."""
    return {}, at(path, not default)


def at(path: str, value: object) -> Json:
    """Values with one key, by its dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


FACTORS: Mapping[str, tuple[Json, ...]] = {
    "tls": (
        {},
        {"tls": {"enabled": True, "existingSecret": "served"}},
        {"tls": {"enabled": True, "certManager": {"enabled": True, "issuerRef": {"name": "ours"}}}},
    ),
    "token": ({}, {"token": {"existingSecret": "given", "key": "bearer"}}, {"settings": {"allow-anonymous": True}}),
    "notifications": (
        {},
        {"notifications": {"existingSecret": "given", "key": "urls"}, "settings": {"notify-on": ["Held"]}},
    ),
    "policies": (
        {},
        {"policies": {"set": "development"}},
        {"policies": {"files": {"shop.yaml": POLICY}}},
        {"policies": {"existingConfigMap": "ours"}},
    ),
    "rules": (
        {},
        at("prometheusRule.enabled", False),
        at("prometheusRule.meshWide", False),
        at("prometheusRule.remediator", False),
        at("prometheusRule.rendered", RULES),
    ),
    "scraping": (
        {},
        at("serviceMonitor.enabled", False),
        {
            "serviceMonitor": {
                "labels": {"team": "sre"},
                "relabelings": [{"targetLabel": "cluster", "replacement": "a"}],
            }
        },
    ),
    "alertmanager": (
        {},
        at("alertmanagerConfig.enabled", False),
        {"alertmanagerConfig": {"inhibit": False, "labelAlerts": False}},
        {"alertmanagerConfig": {"alertNames": ["HighErrorRateInCanary", "HighCanaryErrorRate"]}},
        {
            "alertmanagerConfig": {
                "namespace": "monitoring",
                "tokenSecret": {"name": "theirs", "key": "token"},
                "tlsConfig": {"insecureSkipVerify": True},
            }
        },
    ),
    "dashboard": (
        {},
        at("grafanaDashboard.enabled", False),
        {"grafanaDashboard": {"namespace": "monitoring", "annotations": {"folder": "Istio"}}},
    ),
    "telemetry": (*switch("istio.telemetry.enabled", default=False),),
    "proxies": (*switch("istio.podMonitor.enabled", default=False),),
    "network": (
        {},
        at("networkPolicy.enabled", False),
        {
            "networkPolicy": {
                "alertmanager": [CLOSE],
                "flagger": [],
                "clients": [{"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.2.0/24"]}}],
                "apiServer": {"cidrs": ["10.0.0.1/32"], "ports": [6443]},
                "extraEgress": [{"to": [CLOSE]}],
            }
        },
    ),
    "account": (
        {},
        {"serviceAccount": {"create": False, "name": "ours"}},
        {"serviceAccount": {"name": "other", "annotations": {"a": "b"}}},
    ),
    "roles": (
        {},
        at("rbac.create", False),
        at("rbac.namespaces", ["shop", "payment"]),
        {"rbac": {"flagger": False, "people": {"create": False}}},
        {"rbac": {"argoRollouts": False, "people": {"aggregateToView": True}}},
    ),
    "budget": (*switch("podDisruptionBudget.enabled", default=True), at("podDisruptionBudget.maxUnavailable", "50%")),
    "class": ({}, {"priorityClass": {"create": True, "name": "ours"}}, at("priorityClass.name", "theirs")),
    "test": (*switch("test.enabled", default=True),),
    "settings": (
        {},
        {"settings": {"mode": "Observe", "threads": 32, "prometheus-url": "http://prometheus.monitoring:9090"}},
        {"settings": {"opt-in": True, "gitops-pause": True, "shutdown-grace": "1m30s", "budget": "off"}},
    ),
    "pod": (
        {},
        {
            "replicas": 3,
            "spread": "DoNotSchedule",
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "infra", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "podLabels": {"team": "sre"},
            "podAnnotations": {"a": "b"},
            "commonLabels": {"cost": "mesh"},
            "imagePullSecrets": [{"name": "regcred"}],
        },
        {
            "drainSeconds": 0,
            "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/ours/ca.crt"}],
            "extraEnvFrom": [{"configMapRef": {"name": "ours"}}],
            "extraVolumes": [{"name": "ours", "configMap": {"name": "ours"}}],
            "extraVolumeMounts": [{"name": "ours", "mountPath": "/ours"}],
            "topologySpreadConstraints": [
                {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway"},
            ],
        },
    ),
    "image": ({}, at("image.digest", "sha256:" + 64 * "a"), at("image.tag", "1.2.3")),
    "service": ({}, {"service": {"type": "LoadBalancer", "port": 80, "annotations": {"a": "b"}, "labels": {"c": "d"}}}),
}
"""By what they are about; the first choice is the default."""


def rows() -> list[Json]:
    """Values, in which every two choices of different factors meet once at least."""
    choices = tuple(FACTORS.values())
    found = pairwise([len(each) for each in choices])
    return [merged([each[index] for each, index in zip(choices, row, strict=True)]) for row in found]
