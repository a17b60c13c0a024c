"""Makes the pocket pair that the repository ships."""
