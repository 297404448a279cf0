"""The shell around the pure core: runs the stages for one notification, and owns the clock.

preparation   alerts → policies → targets → proposals; reads the index, changes nothing
execution     one target: patch; where it moved, read, plan and try again
shell         one notification: prepares, executes concurrently, answers, logs and counts
"""

from remediator.pipeline.shell import Pipeline

__all__ = ["Pipeline"]
