"""HTTP: one folder for each dialect with `routes`, `schemas` and `convert`. Dialects do not import each other."""
