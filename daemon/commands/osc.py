"""``antiphon osc``."""

from __future__ import annotations

from antiphon.daemon.commands.parser import Parser


def main(argv: list[str]) -> int:
    """Print every OSC address, or the reference page."""
    parser = Parser("osc", "Print every OSC address with what it takes.")
    parser.add_argument("--markdown", action="store_true", help="the whole page docs/parameters.md")
    args = parser.parse_args(argv)
    from antiphon.daemon import reference  # noqa: PLC0415

    print(reference.markdown() if args.markdown else reference.osc_text(), end="")
    return 0
