"""The JSON Schemas of what comes after a patch: whether it worked, and what became of the hold."""

from __future__ import annotations

from remediator.verification.model import Side, VerificationVerdict
from remediator.web.schema_terms import TEXT, TIME, Schema, array, closed, said


def verification() -> Schema:
    """Of `status.verification`."""
    number: Schema = {"type": "number", "minimum": 0}
    figure = {"host": TEXT, "version": TEXT, "side": {"enum": list(Side)}}
    counts = {"before": number, "after": number, "floor": said("The most that counts as none.", number)}
    ratios = {"before": number, "others": said("Of the versions that are no suspects.", number), "after": number}
    return closed(
        {
            "verdict": {"enum": list(VerificationVerdict)},
            "at": TIME,
            "message": TEXT,
            "windowSeconds": number,
            "figures": said("Requests in a window.", array(closed(figure | counts, optional=("version",)))),
            "errors": said(
                "Shares that failed, 0 to 1.", array(closed({"host": TEXT} | ratios, optional=tuple(ratios)))
            ),
            "unroutedAt": said("When the routes were seen to send the suspect nothing.", TIME),
            "withdrawnAt": TIME,
            "concludedAt": said("Since when it is final.", TIME),
        },
        optional=("message", "windowSeconds", "figures", "errors", "unroutedAt", "withdrawnAt", "concludedAt"),
    )


def images() -> Schema:
    """Of `status.images`."""
    one = closed({"host": TEXT, "version": TEXT, "container": TEXT, "digest": TEXT}, optional=("version",))
    return closed(
        {
            "at": TIME,
            "found": said("What each container of a suspect's pods ran.", array(one)),
            "complete": said("Whether each of them was pinned by its digest.", {"type": "boolean"}),
        },
        optional=("found",),
    )


def hold() -> Schema:
    """Of `status.hold`."""
    once = closed(
        {"at": TIME, "writer": TEXT, "resourceVersion": TEXT, "doneAt": TIME},
        optional=("writer", "resourceVersion", "doneAt"),
    )
    return closed(
        {
            "enforcements": said("How often the withdrawal was brought back, and against whom.", array(once)),
            "lostAt": said("When it was given up.", TIME),
            "lostTo": TEXT,
        },
        optional=("enforcements", "lostAt", "lostTo"),
    )
