"""Looking over this machine and the system that may run on it; nothing is changed. Imports nothing heavy."""
