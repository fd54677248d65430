"""Settings: flag > environment > file > default. The only part of PAI that reads the environment."""

from pai.settings.load import load
from pai.settings.secrets import read_secret_file
from pai.settings.values import Profile, Settings

__all__ = ["Profile", "Settings", "load", "read_secret_file"]
