"""Elman: recurrent networks on text, trained, explained and shipped on the CPU that is there."""

__version__ = "0.1.0"
