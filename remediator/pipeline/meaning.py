"""Which suspect a person means by a word, on one routing object. Never guesses: what is not known is asked back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from remediator.cluster.port import Snapshot
from remediator.errors import InputError
from remediator.traffic.exposure import Facts
from remediator.traffic.hosts import Host, resolve, short
from remediator.traffic.suspect import Suspect


@dataclass(frozen=True, slots=True)
class Names:
    """What the services of one routing object, and their versions, are called."""

    snapshot: Snapshot

    @property
    def facts(self) -> Facts:
        """What is known around the object."""
        return Facts(self.snapshot.routing.ref.namespace, self.snapshot.rules)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """Every host that the object sends or mirrors to, live or not."""
        routes = self.snapshot.routing.routes
        return tuple(sorted({each.host for route in routes for each in route.destinations if each.host}))

    def host(self, text: str) -> Host | None:
        """The host of the object that is called so: as it is written there, in full, or NAME.NAMESPACE."""
        whole = resolve(text, self.facts.namespace)
        return next((host for host in self.hosts if host == whole or short(host) == text.strip().lower()), None)

    def service(self, text: str) -> Host:
        """As `host`.

        Raises:
            InputError: the object has no such host.
        """
        found = self.host(text)
        if found is None:
            raise InputError(f"--service {text}: {self._ref} neither sends nor mirrors to it, but to {self._listed()}")
        return found

    def versions(self, host: Host) -> tuple[str, ...]:
        """The versions that `host` is known to have; without any DestinationRule its subsets' names count."""
        facts = self.facts
        if facts.rules.speaks_of(host, facts.namespace):
            return tuple(sorted(facts.rules.known_versions(host, facts.namespace)))
        named = (each for route in self.snapshot.routing.routes for each in route.destinations)
        return tuple(sorted({each.subset for each in named if each.host == host and each.subset}))

    def suspects(self, text: str) -> tuple[Suspect, ...]:
        """Everything that `text` is surely the name of: a version of one host or more, and a host.

        Raises:
            InputError: it is a host that has several versions.
        """
        found = [Suspect(host, text) for host in self.hosts if text in self.versions(host) or self._hash_of(text, host)]
        host = self.host(text)
        return tuple(dict.fromkeys([*found, self._whole(text, host)] if host else found))

    def _hash_of(self, text: str, host: Host) -> bool:
        """Whether `text` is the hash of the pods of one of the host's subsets, as Argo Rollouts writes it."""
        return text in self.facts.rules.pod_hashes(host, self.facts.namespace)

    def _whole(self, text: str, host: Host) -> Suspect:
        """A host that is a suspect as a whole; its one version names it too, where it is known."""
        versions = self.versions(host)
        if len(versions) > 1:
            raise InputError(
                f"--suspect {text}: {short(host)} has the versions {', '.join(versions)}; say which one: "
                f"--suspect {versions[-1]} --service {short(host)}"
            )
        return Suspect(host, versions[0] if versions else None)

    # -- what is said of a word that is no one thing's name

    def several(self, text: str, suspects: Iterable[Suspect]) -> InputError:
        """It names more than one thing that gets traffic."""
        named = self.host(text)
        forms = (
            f"--suspect {short(each.host)}" if each.host == named else f"--suspect {text} --service {short(each.host)}"
            for each in suspects
        )
        return InputError(f"--suspect {text} may be several on {self._ref}; say which: {', or '.join(forms)}")

    def unproved(self, text: str, suspects: Iterable[Suspect]) -> InputError:
        """It may be the version of a host of which no version is known."""
        forms = ", or ".join(f"--suspect {short(each.host)}" for each in suspects)
        return InputError(
            f"--suspect {text}: nothing says which host of {self._ref} is version {text}; name the host: {forms}"
        )

    def unknown(self, text: str, flag: str = "--suspect") -> InputError:
        """It names nothing here."""
        return InputError(
            f"{flag} {text}: {self._ref} has no host and no version of that name; it has {self._listed()}"
        )

    def require_stable(self, text: str) -> None:
        """Let pass what may be a version or a host here.

        Raises:
            InputError: every host's versions are known, and it is none of them, and no host.
        """
        versions = [self.versions(host) for host in self.hosts]
        if self.host(text) is None and all(versions) and not any(text in each for each in versions):
            raise self.unknown(text, "--stable")

    @property
    def _ref(self) -> str:
        return str(self.snapshot.routing.ref)

    def _listed(self) -> str:
        found = (
            short(host) + (f" ({', '.join(versions)})" if (versions := self.versions(host)) else "")
            for host in self.hosts
        )
        return ", ".join(found) or "no host at all"
