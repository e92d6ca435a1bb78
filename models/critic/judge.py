"""The critic at work: scores of candidate continuations, on onnxruntime. No torch.

Threading model: one object belongs to one thread. How onnxruntime is opened: `models.onnx_session`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from antiphon.models.critic.rows import Field, Rows, held_rows, table_rows
from antiphon.models.errors import ModelError
from antiphon.models.generator import HeldNote
from antiphon.models.notes import NoteTable
from antiphon.models.onnx_session import open_session
from numpy.typing import NDArray

FORMAT = 1
#: Not ``model.json``: a critic is no generator, and is not listed as one.
FACTS, GRAPH = "critic.json", "critic.onnx"
REMEDY = "train it again with `antiphon train critic`, or take the one that ships"
_LARGEST_FACTS = 1_000_000


def shipped_critic() -> Path:
    """Give the folder of the critic that ships."""
    return Path(str(resources.files("antiphon.models"))) / "pretrained" / "critic"


class Critic:
    """Tells music from a generator's rollouts: the higher a score, the more like music.

    Args:
        folder: what `antiphon train critic` wrote; None: the one that ships.

    Raises:
        ModelError: a file is missing, changed, of another format, or does not load.
    """

    def __init__(self, folder: Path | None = None) -> None:
        where = shipped_critic() if folder is None else folder
        self.facts = _facts(where)
        self.sha256 = str(self.facts["files"][GRAPH])
        #: The file that it scores by.
        self.graph = where / GRAPH
        self._session = open_session(self.graph, remedy=REMEDY)
        takes = {item.name: list(item.shape[2:]) for item in self._session.get_inputs()}
        if takes != {"notes": [len(Field)]}:
            raise ModelError(
                f"critic: {where / GRAPH} takes {takes}, this Antiphon feeds notes of {len(Field)}; {REMEDY}"
            )

    def scores(self, rows: Rows) -> NDArray[np.float32]:
        """Give the score [B] of whole sequences [B, T, 8], as `models.critic.rows` makes them."""
        scores: NDArray[np.float32] = self._session.run(None, {"notes": np.ascontiguousarray(rows)})[0]
        return scores

    def score_tables(self, heard: NoteTable, lines: Sequence[NoteTable]) -> NDArray[np.float32]:
        """Give the scores [B] of continuations of one length after the same notes."""
        return self.scores(np.stack([table_rows(heard, line) for line in lines]))

    def score_notes(self, heard: Sequence[HeldNote], lines: Sequence[Sequence[HeldNote]]) -> NDArray[np.float32]:
        """Give the scores [B] of live continuations of one length after the same notes."""
        return self.scores(np.stack([held_rows(heard, line) for line in lines]))


def _facts(folder: Path) -> dict[str, Any]:
    """Read and check a critic's folder. Raises: ModelError."""
    path = folder / FACTS
    try:
        if path.stat().st_size > _LARGEST_FACTS:
            raise ValueError(f"{path.stat().st_size} bytes, {_LARGEST_FACTS} at most")
        facts = json.loads(path.read_text(encoding="utf-8"))
        form, wanted = facts["format"], str(facts["files"][GRAPH])
    except FileNotFoundError:
        raise ModelError(f"critic: {folder} holds no {FACTS}; {REMEDY}") from None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(f"critic: {path} is not readable ({error!r}); {REMEDY}") from None
    if form != FORMAT:
        raise ModelError(f"critic: {folder} has format {form!r}, this Antiphon reads {FORMAT}; {REMEDY}")
    try:
        with (folder / GRAPH).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"critic: {folder / GRAPH} is not readable ({error.strerror}); {REMEDY}") from None
    if digest != wanted:
        raise ModelError(
            f"critic: {folder / GRAPH} is truncated or changed (sha256 {digest[:12]}…, its card says {wanted[:12]}…); "
            f"{REMEDY}"
        )
    return dict(facts)
