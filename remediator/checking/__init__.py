"""The contract between policies, alert rules and Alertmanager's routes: what `remediator check` looks for.

findings      one word for each kind, how bad it is, and where
rulebook      all rules of all files, so that questions about them can be asked
expressions   what can be told from PromQL alone
conventions   what each alert must carry, and must not
timing        how long it takes at worst from a fault to its remediation
contract      alerts and policies
routing       Alertmanager's routing tree
alertmanager  from alertmanager.yml to that tree
routes        alerts and routes
check         all of it, over whatever was given
"""
