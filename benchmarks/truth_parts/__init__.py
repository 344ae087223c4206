"""The parts of `benchmarks.truth`: one module each, each answers with rows of its own."""
