"""Prometheus rules: the definitions of the alerts that policies answer.

model       ── what a rule file says, as values
reading     ── from a PrometheusRule object or a plain rule file
writing     ── to the same
expression  ── an expression as a tree
promql      ── from text to that tree (the only home of promql_parser)
labels      ── what is known of the labels of a vector's series
labelling   ── which labels an expression keeps, through recorded series too
relabelling ── what label_replace and label_join do to them
istio       ── the names of Istio's standard metrics
shipped     ── those that come with the remediator, rendered from one source
"""
