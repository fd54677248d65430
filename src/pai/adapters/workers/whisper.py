"""A stretch of one recording, one process: it decodes, listens, answers once and ends. Whisper on CTranslate2, an extra."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from pai.adapters.workers.onnx_session import whole
from pai.adapters.workers.single_shot import serve_once
from pai.core.perception.values import Heard
from pai.foundation.errors import Unsupported

_OUT_OF_MEMORY: Final = {
    "class": "TooLarge", "code": "sound_too_long", "message": "the recording needs too much memory", "hint": "cut it into parts",
}  # fmt: skip
_FAILED: Final = {
    "class": "Invalid", "code": "bad_sound", "message": "the recording cannot be read", "hint": "save it anew, as WAV or FLAC",
}  # fmt: skip
_BEAMS: Final = 5
_LONGEST: Final = 448
_MOST_BEFORE: Final = 223
_FIRST_TIME: Final = 50
"""The latest first time of a window, in ticks of 0.02 s (a second), as Whisper's own way has it."""


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """From where on, how many seconds, in which language (a code of ISO 639-1, empty: find out), whether into English, after which text,
    and how freely words are chosen at first (0: not at all)."""

    start: float
    seconds: float
    language: str
    translate: bool
    prompt: str
    temperature: float


class Network:
    """A Whisper model from the bytes behind descriptors: weights, configuration, tokeniser, vocabulary."""

    def __init__(self, fds: Sequence[int], threads: int) -> None:
        import ctranslate2
        from tokenizers import Tokenizer

        weights, config, tokeniser, vocabulary = (whole(fd) for fd in fds)
        self._tokens = Tokenizer.from_buffer(tokeniser)
        files = {"model.bin": weights, "config.json": config, "vocabulary.txt": vocabulary}
        self._model = ctranslate2.models.Whisper(
            "model", device="cpu", compute_type="int8", intra_threads=threads, inter_threads=1, files=files
        )
        self._view = ctranslate2.StorageView.from_array
        self._speaks_all = bool(self._model.is_multilingual)
        self._suppressed = [int(token) for token in json.loads(config).get("suppress_ids", ())]
        self._before: list[int] = []
        self.bands = int(self._model.n_mels)
        self.special = self._id("<|endoftext|>")
        self.first_time = self._id("<|notimestamps|>") + 1

    def expect(self, before: str) -> None:
        """Take a text for what was said before."""
        if before.strip():
            ids = self._tokens.encode(" " + before.strip(), add_special_tokens=False).ids
            self._before = [self._id("<|startofprev|>"), *ids[-_MOST_BEFORE:]]

    def _id(self, token: str) -> int:
        found = self._tokens.token_to_id(token)
        if found is None:
            raise Unsupported(
                f"the model does not know {token[:20]}", code="missing_capability", hint="see `pai models list`"
            )
        return int(found)

    def language(self, features: Any) -> str:
        """Return the likeliest language as a code of ISO 639-1."""
        if not self._speaks_all:
            return "en"
        found: str = self._model.detect_language(self._view(features[None]))[0][0][0]
        return found.strip("<|>")

    def listen(
        self, features: Any, language: str, translate: bool, temperature: float
    ) -> tuple[tuple[int, ...], float, float]:
        """Return tokens, the mean natural log-probability of one, and how likely silence is. Raises Unsupported for a language that the
        model does not know, or when it cannot translate."""
        prompt = [*self._before, self._id("<|startoftranscript|>")]
        if self._speaks_all:
            prompt += [self._id(f"<|{language}|>"), self._id("<|translate|>" if translate else "<|transcribe|>")]
        elif translate or language != "en":
            raise Unsupported(
                "this model hears English only, and does not translate", code="missing_capability",
                hint="add another, such as by `pai models add whisper-base`",
            )  # fmt: skip
        greedy = temperature == 0
        (found,) = self._model.generate(
            self._view(features[None]), [prompt], beam_size=_BEAMS if greedy else 1, sampling_topk=1 if greedy else 0,
            sampling_temperature=temperature or 1.0, max_length=_LONGEST, return_scores=True, return_no_speech_prob=True,
            suppress_blank=True, suppress_tokens=self._suppressed or [-1], max_initial_timestamp_index=_FIRST_TIME,
        )  # fmt: skip
        tokens = tuple(int(token) for token in found.sequences_ids[0])
        # The score is a mean over tokens and the end; what is no number counts as doubt.
        score = float(found.scores[0])
        return tokens, score if math.isfinite(score) else -100.0, float(found.no_speech_prob)

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens."""
        return str(self._tokens.decode(list(tokens)))


def serve_whisper(channel: socket.socket, threads: int, hear: Callable[[int, Asked, Network], Heard]) -> None:
    """Wait for one stretch of a recording with the files of a model, answer ``{"heard": {...}}`` or ``{"error": {...}}``.

    The request is ``Asked`` with five descriptors: the recording, weights, configuration, tokeniser, vocabulary.
    """

    def answer(request: Mapping[str, Any], fds: Sequence[int]) -> Mapping[str, object]:
        recording, *model = fds
        asked = msgspec.convert(request, Asked)
        network = Network(model, threads)
        network.expect(asked.prompt)
        return {"heard": hear(recording, asked, network)}

    serve_once(channel, answer, failed=_FAILED, out_of_memory=_OUT_OF_MEMORY)
