"""Links to the world outside the process: plumbing that several packages share. It decides nothing."""
