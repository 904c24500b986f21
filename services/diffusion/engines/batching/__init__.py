"""Several requests at once over one set of weights: each runs its own pipeline, their networks' calls are merged."""
