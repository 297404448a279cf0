"""What each setting is, said once: name, form, default and help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from remediator.outcome import NoticeKind
from remediator.settings import forms

PREFIX = "REMEDIATOR_"
CONFIG = "config"
"""The flag and variable that name the file; no key of the file itself."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: everything that a flag, a variable, a key and their documentation need."""

    name: str
    parse: Callable[[str], object]
    """Raises ValueError saying what is allowed."""
    default: str
    """As a person would write it; empty for none."""
    help: str
    metavar: str = ""
    """What stands for the value in help texts; empty for a switch."""
    many: bool = False
    """The flag may be repeated, the key may hold a list; commas separate within one text."""

    @property
    def flag(self) -> str:
        """As on the command line."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """As in the environment."""
        return PREFIX + self.name.upper().replace("-", "_")

    @property
    def field(self) -> str:
        """As in Settings."""
        return self.name.replace("-", "_")


TABLE = (
    Setting("listen", forms.listen, "0.0.0.0:8080", "Where to serve HTTP.", "HOST:PORT"),
    Setting(
        "policies",
        Path,
        "the packaged policies/production",
        "A policy file or a folder of them; may be repeated.",
        "PATH",
        many=True,
    ),
    Setting("manifests", Path, "", "A folder of YAML that stands in for a cluster.", "DIR"),
    Setting("kubeconfig", forms.text, "", "Without it: the pod's service account, else the usual kubeconfig.", "FILE"),
    Setting("context", forms.text, "", "A context of the kubeconfig. Without it: the current one.", "NAME"),
    Setting(
        "namespaces",
        forms.glob,
        "",
        "Namespaces whose VirtualServices may be touched; with names alone nothing else is read. Without it: all.",
        "GLOB,...",
        many=True,
    ),
    Setting(
        "root-namespace",
        forms.namespace,
        "istio-system",
        "Istio's rootNamespace, whose DestinationRules hold for the whole mesh.",
        "NAME",
    ),
    Setting("token-file", Path, "", "The bearer tokens that are accepted, one a line; two while rotating.", "FILE"),
    Setting("allow-anonymous", forms.switch, "false", "Ask for no token: whoever reaches the port may change traffic."),
    Setting("tls-cert-file", Path, "", "Serve HTTPS with this certificate chain, in PEM form.", "FILE"),
    Setting("tls-key-file", Path, "", "The certificate's key, in PEM form, without a passphrase.", "FILE"),
    Setting("mode", forms.mode, "Enforce", "The most that any policy may do: Observe, Approve or Enforce.", "MODE"),
    Setting("opt-in", forms.switch, "false", "Act only where the annotation remediator.io/mode says so."),
    Setting(
        "budget",
        forms.budget,
        "10/10m",
        "Most remediations of the whole fleet in a span of time; beyond it people have to look. off: no limit.",
        "N/DURATION",
    ),
    Setting(
        "max-alert-age",
        forms.age,
        "1h",
        "An alert that began longer ago, or before the routes were last changed, is not acted upon. 0: it is.",
        "DURATION",
    ),
    Setting(
        "approve-within",
        forms.wait,
        "1h",
        "How long a plan of mode Approve waits for a person before it expires.",
        "DURATION",
    ),
    Setting(
        "known-bad",
        forms.known_bad,
        "7d",
        "How long a version whose traffic was taken away is held back by the gate. 0: as long as its record is kept.",
        "DURATION",
    ),
    Setting(
        "prometheus-url",
        forms.url,
        "",
        "The Prometheus that is asked whether a patch worked. Without it, only aborts and rollbacks are seen to, "
        "by the routes.",
        "URL",
    ),
    Setting(
        "verify-within",
        forms.verify_within,
        "2m",
        "How long a suspect's traffic may take to end; then a person is told. Half of it must hold two scrapes.",
        "DURATION",
    ),
    Setting("gitops-pause", forms.switch, "false", "Tell Flux to leave alone what is held, on the live object."),
    Setting(
        "notify-file",
        Path,
        "",
        "Who is told what happened: apprise's URLs, one a line. They are secrets. Without it: nobody.",
        "FILE",
    ),
    Setting(
        "notify-on",
        forms.notice,
        ",".join(kind for kind in NoticeKind if kind.usual),
        "What they are told, where a line of that file does not say it itself.",
        "KIND,...",
        many=True,
    ),
    Setting("threads", forms.threads, "16", "How many requests are served at the same time.", "N"),
    Setting("max-body", forms.size, "4MiB", "The largest request that is read.", "SIZE"),
    Setting("shutdown-grace", forms.grace, "20s", "How long requests may take to finish after SIGTERM.", "DURATION"),
    Setting(
        "retention",
        forms.retention,
        "30d",
        "How long finished records are kept; those with an undo at least 30d. 0 keeps all for ever.",
        "DURATION",
    ),
)
"""Every setting, in the order of the documentation."""
