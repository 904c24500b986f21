"""Probes for people and orchestrators."""
