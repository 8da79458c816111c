"""What all unit tests share."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a busy machine is slow, which is no failure
settings.load_profile("patient")
