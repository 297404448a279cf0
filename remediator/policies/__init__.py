"""What a person wrote and reviewed, and which of it speaks of an alert. Pure, but for load.

model         frozen values: a policy, its target, actions, mode and guards
matchers      Alertmanager's label matchers, in both of its grammars
expressions   Alertmanager's regular expressions: RE2, or a clear refusal
mistake       a wrong value, with what to do about it
quantities    durations and percentages
globs         globs over namespaces, and which of them can match one
intervals     Alertmanager's time intervals, for `freeze`
strict_yaml   YAML without its traps: duplicate keys, surprise booleans, alias bombs
fields        the kinds of values in a document, and how each is checked
document      the keys of a document, their meaning and defaults
faults        what is wrong with a document, in words for whoever wrote it
parse         from a document to a policy, or to every fault in it
schema        the JSON Schema, for editors and CI
load          reads files: every fault of all files at once; reloads them when they change
match         which policy speaks of an alert, and why the others do not
"""
