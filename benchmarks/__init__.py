"""What Easel costs, as ratios and differences measured in one run. `python -m benchmarks` writes docs/benchmarks.md."""
