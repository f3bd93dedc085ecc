"""The media layer of a voice bot, as a reactive stream graph that can be replayed."""

__version__ = "0.1.0"
