"""Traffic of made-up services as promtool's series, and the alerts that must fire because of it: all of them, and no other."""
