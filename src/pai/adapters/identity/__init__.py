"""Who people are, by outside standards."""
