"""What the benchmarks say of what they measured."""
