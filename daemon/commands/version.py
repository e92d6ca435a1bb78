"""``antiphon version``."""

from __future__ import annotations

from antiphon.daemon.commands.parser import Parser


def main(argv: list[str]) -> int:
    """Print the version."""
    Parser("version", "Print the version.").parse_args(argv)
    from importlib.metadata import version  # noqa: PLC0415  40 ms that no other command pays

    print(f"antiphon {version('antiphon')}")
    return 0
