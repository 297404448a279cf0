"""VirtualService: its JSON ↔ the view. Nothing outside this room knows that JSON.

reading      JSON → view; which hosts and delegates an object names
rendering    the difference of two views → edits
identity     what an edit relies on besides its own place
validation   what Istio's webhook would refuse
advice       what an object says that does not mean what it looks like
writers      who changed the routes last, and when
taken        which kinds of traffic a patch takes away
"""

from remediator.traffic.virtualservice.advice import warnings
from remediator.traffic.virtualservice.identity import identity
from remediator.traffic.virtualservice.reading import KIND, delegates, hosts, read
from remediator.traffic.virtualservice.rendering import render
from remediator.traffic.virtualservice.taken import taken
from remediator.traffic.virtualservice.validation import faults
from remediator.traffic.virtualservice.writers import last_change

__all__ = ["KIND", "delegates", "faults", "hosts", "identity", "last_change", "read", "render", "taken", "warnings"]
