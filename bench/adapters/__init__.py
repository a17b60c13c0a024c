"""A model behind the contract that a worker speaks: eager or captured, autoregressive or denoising."""
