"""The Helm chart: what it renders, what it refuses, and what the real API server says of it."""
