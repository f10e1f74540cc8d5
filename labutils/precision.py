"""Multiply in bfloat16 on processors that have it: about twice as fast, with weights kept in float32."""

import torch


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 (AVX-512 or AMX); others would emulate it, slowly."""
    return bool(getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16"))


def lowered(model) -> torch.autocast:
    """A context in which `model` reads texts with products in bfloat16, where that was allowed and the processor has them.

    Allowed means `torch.set_float32_matmul_precision("medium")`, which a Lab calls for its profile; by itself torch follows it on few
    processors. Probabilities move by 0.004 on average. For scores and distributions, not for generation: there the rounding, which
    differs with the size of a batch, would make answers depend on it far more often. On a GPU the weights' own precision stays.
    """
    allowed = model.device.type == "cpu" and torch.get_float32_matmul_precision() != "highest"
    return torch.autocast(model.device.type, torch.bfloat16, enabled=allowed and has_bfloat16())
