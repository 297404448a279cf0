"""The outside: the port, the Kubernetes adapter, the local adapter, and the index that both answer from."""
