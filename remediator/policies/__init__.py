"""Pure, but for load: what a person wrote and reviewed, and which of it speaks of an alert.

model         frozen values: a policy, its target, actions, mode and guards
matchers      Alertmanager's label matchers, in both of its grammars
regex         Go's regular expressions (RE2) on Python's `re`, or a clear refusal
quantities    durations and percentages as Prometheus and people write them
intervals     Alertmanager's time intervals, for `freeze`
document      the YAML document: keys, types, defaults, and the faults in one
strict_yaml   YAML without its traps: duplicate keys, surprise booleans, alias bombs
schema        the JSON Schema that editors and CI check against
load          the only one that reads files; every fault of all files at once
match         which policy speaks of an alert, and why the others do not
"""
