"""Host commands: the operator at the console, over the control socket or in-process."""
