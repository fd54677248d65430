"""PAI: a personal AI for confidential data, on hardware its owner controls.

Importing this package opens no socket, reads no environment variable and writes no file.
"""

__version__ = "0.1.0"
