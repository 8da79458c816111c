"""A real Kubernetes and a real Kafka on this machine, without a container engine; see `python -m local --help`."""
