"""Real processes on real files, killed at the worst moments; what they did is told by files of their handlers."""
