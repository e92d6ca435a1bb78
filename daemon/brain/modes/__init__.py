"""Modes: whose turn it is, and what part Antiphon plays."""
