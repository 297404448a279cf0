"""The port: the brake for the whole fleet, and where its pauses are kept. Two adapters answer: kubernetes and local
(cluster/)."""

from __future__ import annotations

from typing import Protocol

from remediator.guards.pause import Pause


class Brake(Protocol):
    """Keeps pauses. Which of them hold, the guard says. Raises errors of ours (errors.ClusterError), nothing else."""

    # -- by the index: no request is made

    def pauses(self) -> tuple[Pause, ...]:
        """Every Pause there is, by name; also those that are over, and those that cannot be read.

        Raises:
            NotSynced: the index is not complete or too old. Unavailable: the folder cannot be read.
        """

    # -- at the source

    def read(self) -> tuple[Pause, ...]:
        """The same from the source, past the index.

        Raises:
            Forbidden, Retriable.
        """

    def pause(self, pause: Pause) -> None:
        """Store who, why and until when under the name `fleet`; in the place of the one there, whoever wrote it.

        Since when there is one of this name, stays as it was.

        Raises:
            Rejected, Forbidden, Retriable.
        """

    def resume(self) -> tuple[Pause, ...]:
        """Delete every Pause there is.

        Returns:
            Those that were there, by name.

        Raises:
            Unavailable: one is still there after all. Forbidden, other Retriable.
        """
