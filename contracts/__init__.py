"""What travels between Easel's processes: schemas, names and the codec. Needs msgspec, imports nothing of ours."""
