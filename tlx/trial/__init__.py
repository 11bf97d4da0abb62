"""One trial: its folder, its learner, its story."""
