"""The web application: pages rendered here, small modules of our own, no third-party origin."""
