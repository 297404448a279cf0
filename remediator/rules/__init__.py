"""Prometheus rules: the definitions of the alerts that policies answer.

model       ── what a rule file says, as values
reading     ── from a PrometheusRule object or a plain rule file
writing     ── to the same
shipped     ── those that come with the remediator, rendered from one source
promql      ── what an expression selects, and which labels it keeps (the only home of promql_parser)
"""
