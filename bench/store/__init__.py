"""Records on disk and in MLflow."""
