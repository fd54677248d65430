"""One decision function for every path. Deny by default and on any error."""
