"""A model directory becomes one torch body: what it holds, where it lies, its weights, its layers, eight bits."""
