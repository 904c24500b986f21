"""Prometheus: the metrics of this gateway, of the bus and of the workers it knows."""
