"""A language model as OpenVINO runs it: many answers in one step, keys and values in blocks that this process hands out."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pai.adapters.workers.paged.blocks import BLOCK

_CACHES: Final = ("key_cache.", "value_cache.")
_LOGITS_OF: Final = "sampled_tokens_indices"


@dataclass(frozen=True, slots=True)
class Part:
    """What one answer has computed in a step: these ``tokens`` behind ``past`` others, into ``blocks``; the last ``wanted`` get logits."""

    tokens: Sequence[int]
    past: int
    blocks: Sequence[int]
    wanted: int


class PagedModel:
    """The graph (OpenVINO IR of a decoder with its cache as state), made to keep its cache in blocks, compiled for this processor.

    ``tokens`` is how many the cache is to hold. Raises RuntimeError when the files are no such model.
    """

    def __init__(self, weights_fd: int, graph: bytes, *, tokens: int, threads: int) -> None:
        import numpy as np
        import openvino
        from openvino._offline_transformations import paged_attention_transformation

        self._np = np
        self._ov = openvino
        core = openvino.Core()
        # A private mapping: pages stay shared with the file until someone writes, and nobody does.
        self._weights = mmap.mmap(weights_fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        tensor = openvino.Tensor(np.frombuffer(self._weights, dtype=np.uint8), shared_memory=True)
        model = core.read_model(graph, tensor)
        paged_attention_transformation(model)
        _logits_of_chosen_tokens(model)
        settings = {
            "INFERENCE_NUM_THREADS": threads or len(os.sched_getaffinity(0)),
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = core.compile_model(model, "CPU", settings)
        self.vocabulary = int(compiled.output(0).partial_shape[-1].get_length())
        self.blocks = -(-tokens // BLOCK)
        self._request = compiled.create_infer_request()
        self._caches = []
        for given in compiled.inputs:
            if given.any_name.startswith(_CACHES):
                inner = [dimension.get_length() for dimension in list(given.partial_shape)[1:]]
                cache = openvino.Tensor(given.element_type, openvino.Shape([self.blocks, *inner]))
                cache.data[:] = 0  # touched now, so that memory that is not there is missed while loading
                self._caches.append(cache.data)
                self._request.set_tensor(given.any_name, cache)
        if not self._caches:
            raise RuntimeError("the graph keeps no cache that could be paged")

    def wipe(self, block: int) -> None:
        """Clear the keys and values of a block."""
        for cache in self._caches:
            cache[block] = 0

    def step(self, parts: Sequence[Part]) -> Any:
        """Compute all parts at once; return the logits [wanted tokens, vocabulary] (float32, overwritten by the next step)."""
        np = self._np
        lengths = [len(part.tokens) for part in parts]
        begins = np.concatenate(([0], np.cumsum(lengths)))
        used = [
            list(part.blocks[: -(-(part.past + length) // BLOCK)]) for part, length in zip(parts, lengths, strict=True)
        ]
        given = {
            "input_ids": np.concatenate([np.asarray(part.tokens, dtype=np.int64) for part in parts]),
            "position_ids": np.concatenate(
                [
                    np.arange(part.past, part.past + length, dtype=np.int64)
                    for part, length in zip(parts, lengths, strict=True)
                ]
            ),
            "past_lens": np.asarray([part.past for part in parts], dtype=np.int32),
            "subsequence_begins": begins.astype(np.int32),
            "block_indices": np.asarray([block for blocks in used for block in blocks], dtype=np.int32),
            "block_indices_begins": np.cumsum([0, *map(len, used)]).astype(np.int32),
            "max_context_len": np.asarray(
                max(part.past + length for part, length in zip(parts, lengths, strict=True)), dtype=np.int32
            ),
            _LOGITS_OF: np.asarray(
                [at for n, part in enumerate(parts) for at in range(begins[n + 1] - part.wanted, begins[n + 1])],
                dtype=np.int64,
            ),
        }
        for name, values in given.items():
            self._request.set_tensor(name, self._ov.Tensor(values))
        self._request.infer()
        return self._request.get_output_tensor(0).data.reshape(-1, self.vocabulary)


def _logits_of_chosen_tokens(model: Any) -> None:
    """Compute logits only where they are asked for: a prompt has thousands of tokens and needs those of its last.

    Raises RuntimeError when the graph does not end in a multiplication with the output embedding.
    """
    import numpy as np
    from openvino import opset13

    node = model.outputs[0].get_node().input_value(0).get_node()
    for _ in range(8):
        if node.get_type_name() == "MatMul":
            break
        if node.get_input_size() == 0:
            raise RuntimeError("the graph does not end in logits")
        node = node.input_value(0).get_node()
    else:
        raise RuntimeError("the graph does not end in logits")
    chosen = opset13.parameter([-1], np.int64, _LOGITS_OF)
    chosen.output(0).tensor.set_names({_LOGITS_OF})
    rows = opset13.gather(node.input_value(0), chosen, opset13.constant(0, np.int64))
    node.input(0).replace_source_output(rows.output(0))
    model.add_parameters([chosen])
    model.validate_nodes_and_infer_types()
