"""What all HTTP entry points share: authentication, errors, limits, headers, the route registry."""
