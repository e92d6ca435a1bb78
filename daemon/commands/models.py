"""``antiphon models``."""

from __future__ import annotations

from antiphon.daemon.commands.flags import Parser
from antiphon.models.errors import AntiphonError
from antiphon.models.model_files import find_model, shipped_models


def main(argv: list[str]) -> int:
    """List the shipped models, each checked."""
    text = "List the shipped models; --model takes any folder that `antiphon export` made, too."
    Parser("models", text).parse_args(argv)
    names = shipped_models()
    for name in names:
        print(f"{name}  {told(name)}")
    if not names:
        print("no model is shipped; make one with `antiphon train` and `antiphon export`")
    return 0


def told(name: str) -> str:
    """Describe a shipped model in one line, or say what is wrong with it."""
    try:
        model = find_model(name)
    except AntiphonError as error:
        return str(error)
    size = sum(path.stat().st_size for path in model.folder.glob("*.onnx"))
    line = f"{size / 1e6:.1f} MB, sha256 {model.sha256[:12]}"
    trained = model.facts.get("trained")
    return f"{line}, {trained['hours']:g} h of training" if isinstance(trained, dict) else line
