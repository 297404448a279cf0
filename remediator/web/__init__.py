"""The door for HTTP: Alertmanager's webhook, the API, probes and metrics, and one page for a person's eyes.

Its modules, in the order in which they are put together:

    parts       what the application is made of, given by whoever starts it
    app         the application: who may ask, which headers every answer has, how errors are told
    auth        bearer tokens from a file
    body        a request's body, whole or refused
    webhook     POST /webhook
    probes      GET /healthz, /readyz, /metrics
    api         GET /api/v1/policies, /api/v1/exposures
    remediations
                GET /api/v1/remediations, and one of them; POST …/undo
    history     … which of them are wanted, the newest first
    asking      … who asks for an undo, and why
    query       which query parameters there are
    exposures   every destination that shares traffic with another now, and every mirror
    paging      … and one page of them
    pages       GET /
    openapi     GET /openapi.json (schemas, record_schemas, schema_terms: the values in it)
    server      gunicorn, started from within
"""
