"""Models behind the contract that a worker speaks: by our loop or by transformers' own, token by token or denoising."""
