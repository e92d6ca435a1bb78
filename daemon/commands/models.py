"""``antiphon models``."""

from __future__ import annotations

from antiphon.daemon.commands.parser import Parser
from antiphon.models.errors import AntiphonError
from antiphon.models.model_files import KINDS, OTHER_NAMES, ModelFiles, find_model, shipped_models

#: What ships is licensed as the project is; CARD.md tells what each learnt from.
_LICENCE = "MIT"


def main(argv: list[str]) -> int:
    """List the shipped models, each checked."""
    text = "List the shipped models; --model takes any folder that `antiphon export` made, too. CARD.md tells more."
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
    told = [f"{size_of(model) / 1e6:.1f} MB", f"sha256 {model.sha256[:12]}", f"kind {model.kind}"]
    if model.parameters:
        told.append(f"{model.parameters / 1e6:.1f} M parameters")
    told.append(f"licence {model.facts.get('licence', _LICENCE)}")
    trained = model.facts.get("trained")
    if isinstance(trained, dict) and isinstance(trained.get("hours"), (int, float)):
        told.append(f"{trained['hours']:g} h of training")
    others = "".join(f"; also named {other}" for other, ships in OTHER_NAMES.items() if ships == name)
    return f"{', '.join(told)}; {KINDS[model.kind].about}{others}"


def size_of(model: ModelFiles) -> int:
    """Give the bytes of the files that a model plays with."""
    return sum((model.folder / file).stat().st_size for file in KINDS[model.kind].needed)
