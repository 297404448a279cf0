"""How soon the rules find a bad canary, and how often they accuse a good one; judged by a real Prometheus."""
