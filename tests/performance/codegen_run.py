"""A whole codegen run."""
from tests.performance.benchmark import Benchmark
BENCHMARK = Benchmark("codegen", "x", lambda c: [])
