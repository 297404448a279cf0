"""How fast the service is, as ratios within one run against a real kube-apiserver: `python -m benchmarks`.

fleet      the services and their routing objects
stage      the API server, the service, and connections to both
figures    samples, targets, and what came of them
measures   each measure, one function
report     the table and the JSON
"""
