"""The models of a session, by number: what it started with is 0, and each that it changed to is the next.

A session's model.json holds the facts of number 0 and, under ``changes``, of 1 and on; the engine's log says where each
began (`messages.Kind.MODEL`). Imports neither numpy nor onnxruntime.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.daemon.errors import TakeError
from antiphon.daemon.session import SessionFolder

#: Key of model.json: the facts of every model that was changed to.
CHANGES = "changes"


def models_of(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the facts of each model, by number, from what model.json holds."""
    first = {name: value for name, value in told.items() if name != CHANGES}
    changes = told.get(CHANGES, [])
    return [first, *(dict(facts) for facts in (changes if isinstance(changes, list) else []) if "from" in facts)]


def names_of(told: Mapping[str, Any]) -> dict[int, str]:
    """Give the name of each model, by number, from what model.json holds."""
    return {number: str(facts.get("model", "")) for number, facts in enumerate(models_of(told))}


class SessionModels:
    """Numbers a session's models and writes them down, in model.json, before they play. Belongs to the brain's thread.

    Args:
        folder: the session's; what its model.json holds already stays, so that a number means the same after a lost
            brain.
    """

    def __init__(self, folder: SessionFolder) -> None:
        self._folder = folder
        try:
            told = folder.read_model()
        except TakeError:  # it says nothing any more; what plays now is written anew
            told = {}
        self._models = models_of(told) if told else []

    def facts(self, number: int) -> dict[str, Any]:
        """Give what is known of one."""
        return self._models[number] if 0 <= number < len(self._models) else {}

    def names(self) -> dict[int, str]:
        """Give their names by number."""
        return {number: str(facts.get("model", "")) for number, facts in enumerate(self._models)}

    def number(self, facts: Mapping[str, Any]) -> int:
        """Give a model's number: its own from before, or the next, which is written down.

        Args:
            facts: ``model``, ``sha256``, ``from`` (the name or folder that it was loaded by) and what it runs on.

        Raises:
            TakeError: model.json cannot be written.
        """
        for number, known in enumerate(self._models):
            if all(known.get(key) == facts.get(key) for key in ("sha256", "from", "provider")):
                return number
        self._models.append(dict(facts))
        first, *changes = self._models
        self._folder.write_model(first | ({CHANGES: changes} if changes else {}))
        return len(self._models) - 1
