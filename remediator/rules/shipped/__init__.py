"""The alert rules that are shipped: rendered from one source, for a whole mesh, without configuration.

parameters ──▶ render ──▶ canary, mirror, latency, ourselves ──▶ RuleFile
                             │  what each group records and alerts on
                             ▼
                          errors       the alerts about errors that a canary's side and a mirror's both have
                          unreachable  requests that reached no endpoint, of which no version is known
                          alerts       what an alert says: labels and annotations
                          evidence     is a version worse than its siblings? effect and score
                          counts       requests and errors of each version, and of its siblings
                          side         who reports the traffic, and how often it is counted
                          text         names of labels, and durations

The words, which are also the names of the recorded series:

mesh_live_…      what clients' proxies report: live traffic, and what users feel of it
mesh_inbound_…   what the versions' own proxies report: live traffic and mirrored requests alike
…_version        one version of one service
…_siblings       the other versions of that service, together
…_compared       a version in the moments in which siblings served too
…_suspect        the few versions that could be worth an alert, with all that the alert rests on

docs/rules.md explains the statistics; every constant is in `parameters`.
"""
