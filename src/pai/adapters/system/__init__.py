"""The operating system: home folder, listeners, clock, and the walls around processes."""
