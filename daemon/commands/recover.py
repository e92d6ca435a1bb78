"""``antiphon recover``."""

from __future__ import annotations

from antiphon.daemon.commands.flags import add_options
from antiphon.daemon.commands.parser import Parser
from antiphon.daemon.commands.which_take import named_folder


def main(argv: list[str]) -> int:
    """Make the take of every session that ended without one."""
    parser = Parser("recover", "Make the take of every session that ended without one.")
    parser.add_argument("--quiet", action="store_true", help="say nothing where there is nothing to recover")
    add_options(parser, ("takes",))
    args = parser.parse_args(argv)
    folder = named_folder(args)
    from antiphon.daemon.recover import recover  # noqa: PLC0415
    from antiphon.export.take_midi import midi_bytes  # noqa: PLC0415  imports mido

    lines = list(recover(folder, midi_bytes))
    for line in lines:
        print(line)
    if not lines and not args.quiet:
        print(f"nothing to recover in {folder}")
    return 0
