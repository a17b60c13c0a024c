"""One model, one round, in a worker process: timed calls, memory, energy, kernels, ceilings."""
