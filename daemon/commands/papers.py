"""``antiphon papers``."""

from __future__ import annotations

from antiphon.daemon.commands.forward import forward
from antiphon.daemon.commands.parser import Parser

#: Each is a module with ``main(argv) -> exit status``; named, not imported: they need torch.
PAPERS = {
    "frames": "antiphon.export.frames_papers",
    "lstm": "antiphon.export.lstm_papers",
    "neurotune": "antiphon.export.neurotune_papers",
}


def main(argv: list[str]) -> int:
    """Run a paper's experiments and print our figures beside its own."""
    parser = Parser("papers", "Run a paper's experiments: our figures beside its own.",
                    epilog="antiphon papers PAPER --help tells more.")  # fmt: skip
    parser.add_argument("paper", metavar="PAPER", choices=PAPERS, help=f"one of {', '.join(PAPERS)}")
    paper = parser.parse_args(argv[:1]).paper
    return forward(f"papers {paper}", PAPERS[paper], argv[1:])
