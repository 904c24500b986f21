"""Independent processes that take jobs from the bus; none imports another, none imports the gateway."""
