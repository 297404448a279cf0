"""Pure: what an alert accuses, which routes expose it, and the plan that takes its traffic away.

hosts            names of services, as Istio resolves them
subsets          what a DestinationRule says a subset is
view             routes, shares and mirrors: what a plan is made on, whatever the kind of routing object
suspect          what one alert under one policy demands
plan             from the live view to one in which no suspect gets traffic
virtualservice   VirtualService's JSON ↔ the view; nobody else knows it
validation       Istio's rules for a VirtualService, checked before anything is sent
patch            edits, JSON Patch, and the way back
"""
