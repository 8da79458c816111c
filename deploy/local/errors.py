"""The one error of the local platform."""


class PlatformError(Exception):
    """What is missing or wrong on this machine, and what to do about it; shown to a person as it is."""
