"""The record of what was done: a `Remediation` for each intent, written before anything is changed.

model     a Remediation as a value
wire      its JSON, as the CRD has it (chart/crds): parse and render
naming    the name that every delivery, replica and restart derives from the same alert, policy and target
ledger    the port: where records are kept
pauses    the JSON of a Pause, somebody's word that nothing is to be changed: parse and render
brake     the port: where pauses are kept
images    which images the suspects' pods ran; gate: whether a version may have more traffic
rollback  what Flagger is told to roll back; offers: what it is told of a record when it asks
journal   what the pipeline does with a ledger: intend, conclude, note that an alert is resolved
events    the same story as Kubernetes Events on the target
"""
