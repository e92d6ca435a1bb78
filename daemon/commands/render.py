"""``antiphon render``."""

from __future__ import annotations

from pathlib import Path

from antiphon.daemon.commands.flags import add_options, read_config
from antiphon.daemon.commands.parser import Parser
from antiphon.daemon.commands.which_take import TAKE_HELP, find_midi, folder_of


def main(argv: list[str]) -> int:
    """Make a WAV and a picture of a take."""
    parser = Parser("render", "Make a WAV and a piano-roll picture of a take, beside it.")
    parser.add_argument("take", metavar="TAKE", help=TAKE_HELP)
    parser.add_argument("--to", type=Path, metavar="DIR", help="folder to put them in instead")
    add_options(parser, ("takes",))
    args = parser.parse_args(argv)
    midi = find_midi(args.take, folder_of(read_config(args)))
    from antiphon.export.take_render import render_take  # noqa: PLC0415  imports numpy, symusic and pillow

    for path in render_take(midi, args.to):
        print(path)
    return 0
