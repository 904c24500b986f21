"""Who may speak to the bus from outside: devices, their keys, and what each key allows."""
