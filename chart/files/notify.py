"""What `helm test` runs: post a notification to the service, and see whether it is answered.

The alert is one that no shipped policy takes, and it names no service: nothing is changed by it.
"""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request

LABELS = {"alertname": "RemediatorHelmTest"}
ALERT = {
    "status": "firing",
    "labels": LABELS,
    "annotations": {"summary": "sent by helm test"},
    "startsAt": "2026-01-01T00:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "",
    "fingerprint": "68656c6d74657374",
}
NOTIFICATION = {
    "version": "4",
    "groupKey": "{}:{}",
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "helm-test",
    "groupLabels": LABELS,
    "commonLabels": LABELS,
    "commonAnnotations": {},
    "externalURL": "",
    "alerts": [ALERT],
}


def token() -> str:
    """The first line of the file; it is the newer of two that are accepted while one is replaced, or the only one."""
    with open(os.environ["TOKEN_FILE"], encoding="ascii") as file:
        return file.read().split()[0]


def main() -> str:
    """What went wrong; empty if nothing did."""
    url = os.environ["URL"] + "/webhook"
    headers = {"Content-Type": "application/json"}
    if "TOKEN_FILE" in os.environ:
        headers["Authorization"] = f"Bearer {token()}"
    authority = os.environ.get("CA_FILE", "")
    context = ssl.create_default_context(cafile=authority if os.path.exists(authority) else None)
    request = urllib.request.Request(url, json.dumps(NOTIFICATION).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            print(url, answer.status, answer.read().decode())
            return ""
    except urllib.error.HTTPError as error:
        return f"{url} answered {error.code}: {error.read().decode(errors='replace')}"
    except OSError as error:
        return f"{url} cannot be asked: {error}"


sys.exit(main() or 0)
