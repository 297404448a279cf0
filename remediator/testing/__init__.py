"""Tests of policies as files beside them: what `remediator test` runs."""
