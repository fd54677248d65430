"""A language model as Transformers computes it, with its keys and values in blocks that this process hands out.

Only the definitions of layers are taken from that library. Weights are views on a mapping of the safetensors file, at the places
that PAI's own reader has checked; nothing is looked up by name, fetched or unpickled; code that comes with a model has no way in.
"""

from __future__ import annotations

import inspect
import mmap
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from pai.adapters.workers.paged.blocks import BLOCK
from pai.adapters.workers.paged.model import Part


class StoredTensor(Protocol):
    """Where an array of weights lies in the file; checked against the file's size before."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def type(self) -> str: ...
    @property
    def offset(self) -> int: ...
    @property
    def size(self) -> int: ...


_TYPES: Final = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


class TorchModel:
    """The model of a checked ``config``, on the processor. ``tokens`` is how many its cache is to hold.

    Implements what ``paged.batching`` asks for. Raises RuntimeError when weights and configuration do not belong together.
    """

    def __init__(
        self, fd: int, tensors: Sequence[StoredTensor], config: Mapping[str, Any], *, tokens: int, threads: int
    ) -> None:
        import torch
        from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
        self._torch = torch
        # A private mapping: pages stay shared with the file until someone writes, and nobody does.
        self._mapped = mmap.mmap(fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        weights = {one.name: _view(torch, self._mapped, one) for one in tensors}
        made = CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))
        # Files of 16-bit floats are computed in 32 bits: processors multiply the former slowly, and some models overflow in them.
        kept = {one.dtype for one in weights.values()} <= {torch.bfloat16}
        model, told = MODEL_FOR_CAUSAL_LM_MAPPING[type(made)].from_pretrained(
            None, config=made, state_dict=weights, dtype=torch.bfloat16 if kept else torch.float32,
            local_files_only=True, output_loading_info=True,
        )  # fmt: skip
        if told["missing_keys"] or told["mismatched_keys"]:
            raise RuntimeError("the weights are not those of the configuration")
        self._model = model.eval()
        self._takes = frozenset(inspect.signature(model.forward).parameters)
        self.vocabulary = int(made.vocab_size)
        self.blocks = -(-tokens // BLOCK)
        self._kept = _Kept(torch, self.blocks)

    def wipe(self, block: int) -> None:
        """Clear the keys and values of a block."""
        self._kept.wipe(block)

    def step(self, parts: Sequence[Part]) -> Any:
        """Compute all parts; return the logits [wanted tokens, vocabulary] (float32). Parts of the same length are computed at once."""
        alike: dict[int, list[int]] = defaultdict(list)
        for number, part in enumerate(parts):
            alike[len(part.tokens)].append(number)
        rows: list[Any] = [None] * len(parts)
        with self._torch.no_grad():
            for numbers in alike.values():
                logits = self._forward([parts[number] for number in numbers])
                for place, number in enumerate(numbers):
                    wanted = parts[number].wanted
                    rows[number] = logits[place, logits.shape[1] - wanted :]
            return self._torch.cat(rows).float().numpy()

    def _forward(self, parts: Sequence[Part]) -> Any:
        """Return logits [parts, tokens, vocabulary] of parts of one length, those that nobody wants left out where the model can."""
        torch = self._torch
        length, longest = len(parts[0].tokens), max(part.past for part in parts)
        self._kept.look_at(parts)
        mask = torch.ones(len(parts), longest + length, dtype=torch.long)
        for row, part in enumerate(parts):
            mask[row, : longest - part.past] = 0  # in front of a shorter past there is nothing
        given = {"input_ids": torch.tensor([part.tokens for part in parts]), "attention_mask": mask, "use_cache": True}
        if "position_ids" in self._takes:
            given["position_ids"] = torch.tensor([[*range(part.past, part.past + length)] for part in parts])
        if "logits_to_keep" in self._takes:
            given["logits_to_keep"] = max(1, *(part.wanted for part in parts))
        return self._model(**given, cache=self._kept.cache).logits


def _view(torch: Any, mapped: mmap.mmap, stored: StoredTensor) -> Any:
    if stored.type not in _TYPES:
        raise RuntimeError(f"weights of type {stored.type} are not computed")
    kind = getattr(torch, _TYPES[stored.type])
    if not stored.size:
        return torch.empty(stored.shape, dtype=kind)
    count = stored.size // kind.itemsize
    if stored.offset % kind.itemsize:  # a header may end anywhere: such numbers are copied to where they can be read
        return torch.frombuffer(bytearray(mapped[stored.offset : stored.offset + stored.size]), dtype=kind).reshape(
            stored.shape
        )
    return torch.frombuffer(mapped, dtype=kind, count=count, offset=stored.offset).reshape(stored.shape)


class _Kept:
    """Keys and values of all layers, [heads, places, width] each; a block is ``BLOCK`` places. Behind the blocks lies an empty place."""

    def __init__(self, torch: Any, blocks: int) -> None:
        from transformers.cache_utils import Cache, CacheLayerMixin

        kept = self

        class Layer(CacheLayerMixin):  # type: ignore[misc]
            """What one layer of the model asks its cache for; the length is that of the step under way."""

            def lazy_initialization(self, key_states: Any, value_states: Any) -> None:
                # Written now, so that memory that is not there is missed while loading.
                self.keys, self.values = kept.empty(key_states), kept.empty(value_states)
                self.is_initialized = True

            def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
                if not self.is_initialized:
                    self.lazy_initialization(key_states, value_states)
                return kept.added(self.keys, key_states), kept.added(self.values, value_states)

            def get_seq_length(self) -> int:
                return kept.past

            def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
                return kept.past + query_length, 0

            def get_max_length(self) -> int:
                return -1

        self._torch = torch
        self._blocks = blocks
        self.past = 0
        """Tokens before those of this step, the longest past of its parts."""
        self._seen: Any = None
        self._new: Any = None
        self._rows = 0
        self.cache = Cache(layer_class_to_replicate=Layer)

    def empty(self, states: Any) -> Any:
        """Return places for states [rows, heads, tokens, width]."""
        _, heads, _, width = states.shape
        return self._torch.zeros(heads, self._blocks * BLOCK + 1, width, dtype=states.dtype)

    def look_at(self, parts: Sequence[Part]) -> None:
        """Take note of where the parts of the next step lie: of one length, their pasts aligned at the end."""
        self.past, self._rows = max(part.past for part in parts), len(parts)
        nothing = self._blocks * BLOCK
        seen, new = [], []
        for part in parts:
            end = part.past + len(part.tokens)
            places = [block * BLOCK + at for block in part.blocks[: -(-end // BLOCK)] for at in range(BLOCK)][:end]
            seen += [nothing] * (self.past - part.past) + places
            new += places[part.past :]
        self._seen, self._new = self._torch.tensor(seen), self._torch.tensor(new)

    def added(self, kept: Any, states: Any) -> Any:
        """Keep states [rows, heads, tokens, width]; return those of the whole past with them."""
        _, heads, _, width = states.shape
        kept.index_copy_(1, self._new, states.transpose(0, 1).reshape(heads, -1, width))
        return kept.index_select(1, self._seen).view(heads, self._rows, -1, width).transpose(0, 1)

    def wipe(self, block: int) -> None:
        """Clear a block in all layers."""
        for layer in self.cache.layers:
            layer.keys[:, block * BLOCK : (block + 1) * BLOCK] = 0
            layer.values[:, block * BLOCK : (block + 1) * BLOCK] = 0
