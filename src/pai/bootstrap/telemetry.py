"""The fixed table of switches that turn off what libraries would report, fetch or burn, in every process of PAI.

The switches are a courtesy and no proof: they change between versions. The proof is the kernel's (``adapters/system``).
"""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import Final

SWITCHES: Final = MappingProxyType(
    {
        # onnxruntime uploads from the moment it is imported unless this is set before
        "ORT_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "DISABLE_TELEMETRY": "1",
        "ANONYMIZED_TELEMETRY": "False",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "VLLM_NO_USAGE_STATS": "1",
        # threads that wait must sleep, not spin: two engines share few cores
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",
        "KMP_BLOCKTIME": "0",
        "OPENBLAS_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
)
"""Environment variables and the values every process of PAI has, over any inherited ones."""


def switch_off() -> None:
    """Set the table in this process. Call it before any other import."""
    os.environ.update(SWITCHES)


def child_environment(locale: str = "C.UTF-8") -> dict[str, str]:
    """Return a child's whole environment, built from nothing: locale, a minimal search path and the switches."""
    return {"LANG": locale, "PATH": "/usr/bin:/bin", **SWITCHES}
