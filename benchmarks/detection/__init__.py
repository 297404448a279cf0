"""How soon the rules find a bad canary, and how often they accuse a good one: simulated traffic, judged by a real Prometheus."""
