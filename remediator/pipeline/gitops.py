"""For the time of a hold Flux is told to leave the object alone, if `--gitops-pause` says so; and afterwards always to
take care of it again.

The object itself remembers it, by an annotation that the index finds: whatever dies, and whoever deletes the record,
some replica takes it back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import NotFound
from remediator.guards import switch
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.pipeline.preparation import switch_of
from remediator.pipeline.telling import announce
from remediator.policies.model import Mode
from remediator.records.events import Event
from remediator.records.journal import Journal
from remediator.records.ledger import Head
from remediator.records.model import Target
from remediator.records.moments import is_held
from remediator.traffic import gitops
from remediator.traffic.patch import Patch

PAUSE, RESUME = "PauseGitOps", "ResumeGitOps"
"""The actions of Events that tell of it."""


@dataclass(frozen=True, slots=True)
class GitOps:
    """Pauses and resumes Flux, object by object. Its methods raise ClusterError: look again later."""

    cluster: Cluster
    journal: Journal
    pauses: bool
    """Whether anything is paused; what was paused is resumed in any case."""
    ceiling: Mode = Mode.ENFORCE
    opt_in: bool = False

    def pause(self, head: Head) -> None:
        """Tell Flux to leave the target of a held record alone, unless nothing is to be changed now."""
        now = self.journal.now()
        if not self.pauses or any(pause.holds(now) for pause in self.cluster.brake.pauses()):
            return
        live = self.cluster.find(head.target)
        if live is None or live.routing.uid != head.target_uid or not self._may_act(live):
            return
        patch = gitops.pause(live.body, head.name)
        if patch is not None:
            self._send(live, patch, head.name, PAUSE, "Flux leaves this object alone until the hold is over")

    def _may_act(self, live: Snapshot) -> bool:
        """Whether the service may change this object by itself."""
        asked = switch_of(live)
        return switch.evaluate(asked, opt_in=self.opt_in).allows and asked.cap(self.ceiling) is Mode.ENFORCE

    def due(self, heads: Iterable[Head]) -> tuple[TargetRef, ...]:
        """The objects that Flux was told to leave alone, and that nothing is held on, by the index."""
        held = {head.target for head in heads}
        return tuple(ref for ref in self.cluster.marked() if ref not in held)

    def resume(self, ref: TargetRef) -> None:
        """Let Flux take care of an object again; a pause of ours forbids nothing here, for it is the way back."""
        try:
            live = self.cluster.read(ref)
        except NotFound:
            return
        name, patch = gitops.marked(live.body), gitops.resume(live.body)
        if name is None or patch is None or self._is_held(ref.namespace, name):
            return
        self._send(live, patch, name, RESUME, "the hold is over, and Flux takes care of this object again")

    def _is_held(self, namespace: str, name: str) -> bool:
        """Asked of the source: the index may hear of the record later than of the object."""
        try:
            return is_held(self.journal.ledger.read(namespace, name), self.journal.now())
        except NotFound:
            return False

    def _send(self, live: Snapshot, patch: Patch, record: str, action: str, said: str) -> None:
        ref = live.routing.ref
        self.cluster.patch(ref, patch)
        event = Event(
            target=Target(str(live.body.get("apiVersion", "")), ref, live.routing.uid),
            subject=(record, action),
            outcome=Outcome.APPLIED,
            reason=Reason.HELD.value,
            action=action,
            note=f"{record}: {said} (annotation {gitops.RECONCILE})",
            at=self.journal.now(),
            record=record,
        )
        announce(self.journal.ledger, [event])
