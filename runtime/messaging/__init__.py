"""The bus: the only importer of nats-py. Gateways and workers call it; it calls nobody back but by iteration."""
