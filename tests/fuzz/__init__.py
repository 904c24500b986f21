"""Inputs that nobody meant: lanes that a fuzzer drives (`make fuzz`), and their kept corpora."""
