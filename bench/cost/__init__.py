"""What a cell must cost, in closed form and without torch: floors of time, peak memory, predictions."""
