"""Tests of policies as files beside them: what `remediator test` runs.

model         frozen values: a test, its steps, what is given and what is expected
fields        the kinds of values in a test document, and how each is checked
paths         `spec.http[0].route[0].weight`: places in an object
document      the keys of a test document, their meaning and defaults
parse         from a document to a test, or to every fault in it
find          which files and folders hold tests, and the policies that each is about
promtool      from series and rules to the alerts that fire, by the real promtool
samples       what promtool prints of a vector, read
world         a folder that stands in for a cluster, and the real pipeline on it
run           one test: its steps one after the other
compare       what was expected against what came
golden        files of expected objects: compared, and rewritten
results       how tests ended, as values
junit         the same as JUnit's XML

Decides nothing of its own: alerts go through the same pipeline, guards and local adapter as in the service.
"""
