"""Pure: what an alert accuses, which routes expose it, and the plan that takes its traffic away.

hosts            names of services, as Istio resolves them
subsets          what a DestinationRule says a subset is
sight            whose DestinationRules are read; unseen: why nothing is planned where others may count
view             routes, shares and mirrors: what a plan is made on, whatever the kind of routing object
virtualservice   VirtualService's JSON ↔ the view, and Istio's rules for it; nobody else knows it
suspect          what one alert under one policy demands
exposure         which destinations reach a suspect, and which cannot be told apart from it
stable           where its traffic goes instead
plan             from the live view to one in which no suspect gets traffic
patch            edits, and the JSON Patch that makes them
proof            why a patched object must not be sent
proposal         plan, patch and proof for one routing object
stamp            what stays on an object that was changed: the remediation's name in an annotation, ours as a writer
undo             the way back: it holds only where all is as it was left
"""
