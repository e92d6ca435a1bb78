"""``antiphon corpus``."""

from __future__ import annotations


def main(argv: list[str]) -> int:
    """Read folders of MIDI into note tables (no torch needed)."""
    from antiphon.models import prepare  # noqa: PLC0415

    return prepare.main(argv)
