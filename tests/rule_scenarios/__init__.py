"""Traffic of made-up services as promtool's series, and which alerts must fire because of it: all, and no other."""
