"""What the rules cost a real Prometheus that scrapes a whole mesh."""
