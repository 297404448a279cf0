"""The shell around the pure core: runs the stages for one notification, and owns the clock.

preparation   alerts → policies → targets → proposals; reads the index, changes nothing
by_hand       what a person asks for → the same kind of work; meaning: whom they mean by a word; remaining: what stays
guarding      asks the guards about a work; said: what they said of it
drafting      from a work to the record of its intent
execution     one work: intent, patch, Event, status; where the object moved, read, plan and try again
tools         what a work is carried out with
bounds        the guards' bounds, of Settings
endings       how the cases of a work end, as rows
rows          rows of the answer
offering      what Flagger drives: the record is an offer until Flagger asks
trials        which revision of a Canary a work condemns, and whether its alerts accuse that one
rollbacks     answers Flagger; a thread: offers for which it did not ask come to an end
telling       Events on the target
settling      what became of an intent that nobody wrote the end of: the live object tells
resolving     resolved alerts, noted on their records
undoing       gives back what one record took away
rounds        what the threads below are made of
housekeeping  a thread: old records are deleted, abandoned ones settled
verifying     a thread: whether patches worked, asked of Prometheus and written on the records
unrouting     the same by the routes alone, where their driver was asked to take the traffic away
identifying   which images the suspects' pods ran, looked up by the same thread
shell         one notification: prepares, executes concurrently, answers, logs and counts; undo for the API
"""

from remediator.pipeline.shell import Pipeline

__all__ = ["Pipeline"]
