"""How good the generated text is."""
