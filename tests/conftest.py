"""What the tests share: the lab's environment, a tiny model with its tokenizer, and a few example rows."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that plain `pytest` finds the lab, not only `python -m pytest`

RUNS = pytest.StashKey[str]()
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# Three labels with different first letters: their first tokens differ under any byte-level tokenizer.
ROWS = [
    ("cancel", "Please stop order 10234, I bought two by mistake.", {"order": "10234"}, "Order 10234 is stopped."),
    ("cancel", "i dont need the desk lamp anymore", {"product": "desk lamp"}, "Fine, the desk lamp will not be sent."),
    ("cancel", "My son ordered this without asking; do not send it.", {}, "No problem, nothing will be sent."),
    ("cancel", "Call off 55810 if the van has not left yet.", {"order": "55810"}, "We try to stop 55810 now."),
    ("invoice", "My accountant wants paper for the steam iron.", {"product": "steam iron"}, "The steam iron bill comes by mail."),
    ("invoice", "Where can I get a receipt for 77120?", {"order": "77120"}, "Here is the receipt for 77120."),
    ("invoice", "The bill shows my old company name, café Zoë.", {}, "Tell us the new name, please."),
    ("invoice", "need proof of purchase for my insurance", {}, "We send you the document today."),
    ("tracking", "Day nine and still no toaster.", {"product": "toaster"}, "We ask the courier about the toaster."),
    ("tracking", "The link for 31999 shows nothing at all.", {"order": "31999"}, "31999 left us on Monday."),
    ("tracking", "Has my parcel got lost somewhere?", {}, "Which order number is it?"),
    ("tracking", "it says delivered but there is nothing here", {}, "Sorry, we will find out where it is."),
]


def pytest_configure(config):
    """Small runs in a folder that is thrown away; kernels start in the notebook's folder and find the lab by PYTHONPATH."""
    os.environ.setdefault("LAB_PROFILE", "smoke")
    if "LAB_RUNS" not in os.environ:
        os.environ["LAB_RUNS"] = config.stash[RUNS] = tempfile.mkdtemp(prefix="lab-runs-")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def pytest_unconfigure(config):
    if RUNS in config.stash:
        shutil.rmtree(config.stash[RUNS], ignore_errors=True)


@pytest.fixture(autouse=True)
def own_settings_do_not_count(monkeypatch):
    """A learner's settings, or a GPU, must not change what a unit test sees: the naive twins compute on the CPU."""
    for name in ("LAB_DATA", "LAB_TASK", "LAB_FRESH", "LAB_MODEL_SOURCE", "LAB_ENDPOINT_KEY"):
        monkeypatch.delenv(name, raising=False)
    torch = sys.modules.get("torch")
    if torch:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    yield
    torch = sys.modules.get("torch")
    if torch:
        torch.set_float32_matmul_precision("highest")  # a Lab may have lowered it, for the whole process


@pytest.fixture
def example_rows() -> list[dict]:
    """Twelve rows of a JSONL file, four of each of three labels; a test may change them."""
    rows = []
    for number, (label, text, slots, reply) in enumerate(ROWS):
        messages = [{"role": "user", "content": text}, {"role": "assistant", "content": reply}]
        slots = {"order": None, "product": None, **slots}
        rows.append({"id": f"row-{number}", "task": "conversation", "messages": messages, "label": label, "slots": slots, "source": "hand"})
    return rows


@pytest.fixture
def examples(example_rows):
    """The same rows as Examples."""
    from labutils.data import Example

    said = [[message["content"] for message in row["messages"]] for row in example_rows]
    return [
        Example(row["id"], row["task"], (("user", text),), row["label"], row["slots"], reply)
        for row, (text, reply) in zip(example_rows, said)
    ]


@pytest.fixture
def task(examples):
    """The task with the labels of the example rows."""
    from labutils.tasks import get_task

    return get_task("conversation", examples)


@pytest.fixture
def prompts(task, examples) -> list[str]:
    """The prompts of the example rows; their lengths differ, so that batches need padding."""
    return [task.prompt(example) for example in examples]


@pytest.fixture
def write_jsonl(tmp_path):
    """A function (name, rows, encoding) that writes rows, or raw lines, below tmp_path and returns the file."""

    def write(name: str, rows: list, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return write


@pytest.fixture
def foreign_corpus(write_jsonl, tmp_path, monkeypatch):
    """A team's own corpus, with labels and a slot that the lab has never seen; LAB_DATA points to it."""

    def row(split, number, label):
        said = f"version 4.{number} {label} once more in {split}", "Thank you, noted."
        messages = [{"role": role, "content": text} for role, text in zip(("user", "assistant"), said)]
        slots = {"version": f"4.{number}"}
        return {"id": f"{split}-{number}", "task": "conversation", "messages": messages, "label": label, "slots": slots}

    for split in ("train", "validation", "test", "pool"):
        write_jsonl(f"corpus/conversation/{split}.jsonl", [row(split, i, ("bug", "feature", "praise")[i % 3]) for i in range(12)])
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "corpus"))
    return tmp_path / "corpus" / "conversation"


@pytest.fixture(scope="session")
def tokenizer():
    """A byte-level BPE tokenizer of about 450 tokens, trained on the example rows; padding and end are <|im_end|>."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=450, special_tokens=SPECIAL_TOKENS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator([f"Customer: {text}\nAnswer: {label} | - | - | {reply}" for label, text, _, reply in ROWS], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, padding_side="left", unk_token=SPECIAL_TOKENS[0], bos_token=SPECIAL_TOKENS[1],
        eos_token=SPECIAL_TOKENS[2], pad_token=SPECIAL_TOKENS[2],
    )


@pytest.fixture(scope="session")
def make_model(tokenizer):
    """A function (seed, layers, tied) that makes a random Llama of hidden size 32 over the tokenizer's vocabulary."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    def make(seed: int = 0, layers: int = 2, tied: bool = True):
        torch.manual_seed(seed)
        # Weights ten times larger than usual make answers depend on the prompt, so that a wrong mask shows.
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=2,
            intermediate_size=64, max_position_embeddings=512, tie_word_embeddings=tied, initializer_range=0.2,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        )
        model = LlamaForCausalLM(config).eval()
        with torch.no_grad():
            for weight in model.parameters():
                if weight.ndim == 1:  # norms start at one everywhere, so that a norm that is not copied would not show
                    weight.uniform_(0.5, 1.5)
        return model

    return make


@pytest.fixture
def model(make_model):
    """A tiny random Llama of its own for each test."""
    return make_model()
