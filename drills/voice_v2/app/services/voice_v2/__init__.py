"""Speech to text and text to speech over several providers, with fallback."""

__version__ = "2.3.1"
