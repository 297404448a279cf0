"""The contract between policies, alert rules and Alertmanager's routes: what `remediator check` looks for."""
