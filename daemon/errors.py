"""The daemon's own errors; `AntiphonError`, the base of all, is the models'."""

from __future__ import annotations

from antiphon.models.errors import AntiphonError


class PortError(AntiphonError):
    """A MIDI port or MIDI system."""


class ConfigError(AntiphonError):
    """A configuration file or a parameter."""


class TakeError(AntiphonError):
    """A session's folder, journal or take."""


class ControlError(AntiphonError):
    """OSC and other control surfaces."""
