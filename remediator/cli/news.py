"""What is in force, and what changed in the policy files while the service runs: told in the log."""

from __future__ import annotations

import logging

from remediator.pipeline.rounds import Rounds
from remediator.policies.load import Loaded, PolicyStore
from remediator.policies.model import NOT_ENFORCED, Guards, Policy

LOOK_S = 5.0
"""Seconds between two looks. An alert always looks itself: this is only for the log."""


class PolicyNews:
    """Looks at the policies from time to time, and logs what is new since the last look."""

    def __init__(self, store: PolicyStore, log: logging.Logger) -> None:
        self._store = store
        self._log = log
        self._rounds = Rounds("policy news", self.look, lambda: LOOK_S)
        self._told = Loaded(store.current().policies, None, 0)

    def start(self) -> None:
        """Tell what is in force, and begin to look."""
        self.look()
        self._rounds.start()

    def stop(self) -> None:
        """End the thread."""
        self._rounds.stop()

    def look(self) -> None:
        """Tell what is new."""
        loaded, told = self._store.current(), self._told
        self._told = loaded
        if loaded.generation != told.generation:
            self._tell_policies(loaded)
        if loaded.fault and loaded.fault != told.fault:
            self._log.error("policy files have faults; the last good policies stay in force: %s", loaded.fault)

    def _tell_policies(self, loaded: Loaded) -> None:
        names = [f"{policy.name} ({policy.source}), mode {policy.mode.value}" for policy in loaded.policies.policies]
        self._log.info("policies in force", extra={"generation": loaded.generation, "policies": names})
        for policy in loaded.policies.policies:
            keys = not_enforced(policy)
            if keys:
                # Whoever wrote the guard relies on it.
                self._log.warning(
                    "policy %s: not enforced by this version: %s", policy.name, ", ".join(keys), extra={"keys": keys}
                )


def not_enforced(policy: Policy) -> tuple[str, ...]:
    """The guards of `policy` that say something else than the default, and that this version does not obey."""
    default = Guards()
    return tuple(key for field, key in NOT_ENFORCED.items() if getattr(policy.guards, field) != getattr(default, field))
