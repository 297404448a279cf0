"""Tells people what happened, by apprise: a mail, a chat message, a page. See docs/notifications.md.

Whatever becomes of it, nothing else waits for it or fails with it.
"""

from remediator.notifying.outbox import Outbox
from remediator.notifying.recipients import RecipientsFile

__all__ = ["Outbox", "RecipientsFile"]
