"""Flags, environment and file → one frozen Settings; the only reader of the environment's REMEDIATOR_ variables.

    --threads 4  >  REMEDIATOR_THREADS=4  >  `threads: 4` in --config FILE  >  the default

table     what each setting is, said once; the command line's options, the log at start and docs/settings.md follow it
sources   what flags, variables and the file say, as text
forms     the forms in which values are written
reading   text → Settings, or one error with every fault of every source
"""

from remediator.settings.forms import MODES, Rate
from remediator.settings.reading import Settings, packaged_policies, read, shown
from remediator.settings.table import CONFIG, PREFIX, TABLE, Setting

__all__ = ["CONFIG", "MODES", "PREFIX", "TABLE", "Rate", "Setting", "Settings", "packaged_policies", "read", "shown"]
