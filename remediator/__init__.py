"""Remediator: hears from Alertmanager that an Istio canary or mirror hurts, and takes the traffic away from it.

The house, in the order of the flow (arrows point one way; import-linter checks it):

    cli, web     the doors: commands; the webhook, the API, the page
    testing      tests of policies as files: from series or alerts to the patched object
    pipeline     the shell: runs the stages for one notification, undoes, keeps the records few; owns the clock
    cluster      the outside: the port, the Kubernetes adapter, the local adapter, the indexes
    prometheus   queries, for verification
    metrics      every metric there is
    logs         JSON lines
    notifying    people are told what happened: mail, chat, pagers
    records      the Remediation: written before the patch, ended after it; the port where they are kept; Events
    guards       pure: may what is planned be done? a yes or no each, with a reason
    verification  pure: did a patch do what it was made for? from what Prometheus counted to a verdict
    owners       pure: who drives a routing object: Flagger, Argo Rollouts, Argo CD, Flux, Helm, nobody
    traffic      pure: hosts and subsets, the view of a routing object, plan, patch, undo
    checking     pure: the contract between policies, alert rules and Alertmanager's routes
    rules        pure: Prometheus rules: the model, those that are shipped, PromQL
    policies     model, loading and matching of policy files
    alerts       Alertmanager's notification
    settings     flags, environment and file → one frozen value
    reread       what stands in files that may be replaced at any moment: tokens, certificates, recipients
    outcome      how an alert ended, and why
    errors       the exception tree
"""

__version__ = "0.1.0"
