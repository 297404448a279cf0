"""How fast the service is, as ratios within one run against a real kube-apiserver: `python -m benchmarks`.

fleet       the services, their routing objects and their alerts
plans       one alert planned in this process
history     the records of the past weeks
direct      clients of the API server and of etcd
deliveries  Alertmanager's side
witness     hears of each change from outside the service
stage       the API server, the service, and all of the above
figures     samples, targets, and what came of them
measures    each measure, one function
report      the table and the JSON
"""
