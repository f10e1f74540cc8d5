"""Teachers behind one call, `respond(prompts)`: batched, cached on disk, resumable, on this machine or at an endpoint."""

import hashlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential
from tqdm import tqdm

from .generation import complete
from .precision import lowered


class AnswerCache:
    """Answers on disk, one JSON line each, appended as they come: a stopped run loses nothing that was answered.

    Args:
        path: the file; read when it exists, made when not.
        shipped: optional file of answers that came with the repository; read, never written.
    """

    def __init__(self, path: str | Path, shipped: str | Path | None = None):
        self.path, self._lock = Path(path), threading.Lock()
        self.answers = {**self._read(Path(shipped) if shipped else None), **self._read(self.path)}
        if self.path.exists() and self.path.read_bytes()[-1:] not in (b"", b"\n"):
            with self.path.open("ab") as file:
                file.write(b"\n")  # a line that a kill cut short must not swallow the next answer

    @staticmethod
    def _read(path: Path | None) -> dict[str, str]:
        if path is None or not path.exists():
            return {}
        answers = {}
        for line in path.read_bytes().split(b"\n"):  # str.splitlines would also split at U+2028 inside an answer
            try:
                row = json.loads(line)
            except ValueError:  # bad JSON or half a letter
                continue  # the line that a kill cut short: it will be asked again
            answers[row["key"]] = row["answer"]
        return answers

    def add(self, key: str, answer: str) -> None:
        """Keep an answer, on disk before this returns."""
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "answer": answer}, ensure_ascii=False) + "\n")
            self.answers[key] = answer


def answer_key(prompt: str, sample: str = "greedy") -> str:
    """Key of an answer: changes with the prompt's text and with how it was sampled."""
    return hashlib.sha256(f"{sample}\n{prompt}".encode()).hexdigest()[:20]


@dataclass
class LocalTeacher:
    """A causal language model on this machine.

    Args:
        model, tokenizer: from `models.load`.
        batch_size: prompts generated together; prompts of similar length share a batch.
        max_new_tokens: limit of a completion.
    """

    model: torch.nn.Module
    tokenizer: object
    batch_size: int = 32
    max_new_tokens: int = 48

    def respond(self, prompts: list[str], cache: AnswerCache | None = None, temperature: float = 0.0, seed: int = 0,
                progress: bool = True) -> list[str]:
        """One completion a prompt, in the order of the prompts; greedy unless `temperature` is above 0.

        Prompts that the cache holds are not asked again; new answers enter it batch by batch.
        """
        sample = "greedy" if temperature == 0 else f"T={temperature} seed={seed}"
        keys = [answer_key(prompt, sample) for prompt in prompts]
        answers = dict(cache.answers) if cache else {}
        pending = list({key: prompt for key, prompt in zip(keys, prompts) if key not in answers}.items())
        pending.sort(key=lambda item: len(item[1]))
        torch.manual_seed(seed)
        with tqdm(total=len(pending), desc="teacher answers", unit="prompt", disable=not progress or not pending) as bar:
            for start in range(0, len(pending), self.batch_size):
                batch = pending[start : start + self.batch_size]
                for (key, _), answer in zip(batch, self._generate([prompt for _, prompt in batch], temperature)):
                    answers[key] = answer
                    if cache:
                        cache.add(key, answer)
                bar.update(len(batch))
        return [answers[key] for key in keys]

    def _generate(self, prompts: list[str], temperature: float) -> list[str]:
        return complete(self.model, self.tokenizer, prompts, self.max_new_tokens, temperature)


@dataclass
class EndpointTeacher:
    """A teacher behind an OpenAI-compatible endpoint (Azure AI Foundry, vLLM, llama.cpp server, and others).

    The key is read from the environment variable `key_variable` and is never stored or shown.

    Args:
        model: name of the deployment.
        base_url: for example `https://RESOURCE.openai.azure.com/openai/v1/`.
        system: instruction that describes the completion's form.
        price_in, price_out: price of a million tokens, for `cost`.
    """

    model: str
    base_url: str
    system: str = ""
    key_variable: str = "LAB_ENDPOINT_KEY"
    max_new_tokens: int = 256
    parallel: int = 8
    price_in: float = 0.0
    price_out: float = 0.0
    usage: dict = field(default_factory=lambda: {"requests": 0, "tokens_in": 0, "tokens_out": 0})
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def respond(self, prompts: list[str], cache: AnswerCache | None = None, temperature: float = 0.0, seed: int = 0,
                progress: bool = True) -> list[str]:
        """As LocalTeacher.respond. A request that fails five times raises; what was answered stays in the cache."""
        sample = f"{self.model} at {self.base_url}, {self.max_new_tokens} tokens, T={temperature} seed={seed} system={self.system}"
        keys = [answer_key(prompt, sample) for prompt in prompts]
        answers = dict(cache.answers) if cache else {}
        pending = {key: prompt for key, prompt in zip(keys, prompts) if key not in answers}

        def ask(item):
            key, prompt = item
            answer = self._ask(prompt, temperature, seed)
            if cache:
                cache.add(key, answer)
            return key, answer

        with ThreadPoolExecutor(self.parallel) as pool:
            results = pool.map(ask, pending.items())
            answers.update(tqdm(results, total=len(pending), desc="teacher answers", unit="prompt", disable=not progress))
        return [answers[key] for key in keys]

    def _ask(self, prompt: str, temperature: float, seed: int) -> str:
        import openai

        key = os.environ.get(self.key_variable)
        if not key:
            raise RuntimeError(f"No key: set the environment variable {self.key_variable} (in Colab, a secret of that name).")
        client = openai.OpenAI(base_url=self.base_url, api_key=key, max_retries=0, timeout=60)
        passing = (openai.RateLimitError, openai.APIConnectionError, openai.InternalServerError)
        messages = [{"role": "system", "content": self.system}] if self.system else []

        @retry(retry=retry_if_exception_type(passing), stop=stop_after_attempt(5), wait=wait_exponential(0.5, max=30), reraise=True)
        def call():
            return client.chat.completions.create(
                model=self.model, messages=[*messages, {"role": "user", "content": prompt}], temperature=temperature,
                max_tokens=self.max_new_tokens, seed=seed,
            )

        response = call()
        with self._lock:
            self.usage["requests"] += 1
            self.usage["tokens_in"] += response.usage.prompt_tokens
            self.usage["tokens_out"] += response.usage.completion_tokens
        return response.choices[0].message.content or ""

    @property
    def cost(self) -> float:
        """What the requests so far cost, in the currency of the prices."""
        return (self.usage["tokens_in"] * self.price_in + self.usage["tokens_out"] * self.price_out) / 1e6


@torch.inference_mode()
def label_log_probabilities(model, tokenizer, prompts: list[str], labels: list[str], batch_size: int = 32) -> np.ndarray:
    """Log-probability of each label as the first words of the completion, normalised over the labels.

    One forward pass over the prompts decides when the labels' first tokens differ; else one pass a label.

    Returns:
        Array (prompts, labels).
    """
    tokens = [tokenizer(f" {label}")["input_ids"] for label in labels]
    firsts = [ids[0] for ids in tokens]
    scores = np.zeros((len(prompts), len(labels)), dtype=np.float32)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        ids = [tokenizer(prompts[i])["input_ids"] for i in rows]
        if len(set(firsts)) == len(firsts):
            scores[rows] = _next_token_scores(model, tokenizer, ids)[:, firsts].cpu().numpy()
        else:
            for column, label_ids in enumerate(tokens):
                scores[rows, column] = _continuation_scores(model, tokenizer, ids, label_ids)
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def _right_padded(model, tokenizer, sequences: list[list[int]]):
    length = max(map(len, sequences))
    ids = torch.tensor([s + [tokenizer.pad_token_id] * (length - len(s)) for s in sequences])
    mask = torch.tensor([[1] * len(s) + [0] * (length - len(s)) for s in sequences])
    return ids.to(model.device), mask.to(model.device)


def _states(model, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """What the head reads, (sequences, positions, width); the head itself multiplies in the weights' own precision."""
    with lowered(model):
        states = model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    return states.to(model.lm_head.weight.dtype)


def _next_token_scores(model, tokenizer, sequences: list[list[int]]) -> torch.Tensor:
    """Log-probabilities (sequences, vocabulary) of the token after each sequence."""
    ids, mask = _right_padded(model, tokenizer, sequences)
    last = _states(model, ids, mask)[torch.arange(len(sequences)), mask.sum(1) - 1]
    return model.lm_head(last).float().log_softmax(-1)


def _continuation_scores(model, tokenizer, prompts: list[list[int]], continuation: list[int]) -> np.ndarray:
    """Log-probability of the same continuation after each prompt (a closing separator tells `a` from `a b`)."""
    closing = tokenizer(" |")["input_ids"]
    ids, mask = _right_padded(model, tokenizer, [p + continuation + closing for p in prompts])
    hidden, scores = _states(model, ids, mask), []
    for row, prompt in enumerate(prompts):
        span = slice(len(prompt) - 1, len(prompt) + len(continuation) + len(closing) - 1)
        logs = model.lm_head(hidden[row, span]).float().log_softmax(-1)
        targets = ids[row, len(prompt) : len(prompt) + len(continuation) + len(closing)]
        scores.append(logs.gather(1, targets[:, None]).sum().item())
    return np.array(scores)


@torch.inference_mode()
def completion_log_probabilities(model, tokenizer, prompts: list[str], completions: list[str], batch_size: int = 32) -> np.ndarray:
    """Mean log-probability of a token of each completion after its prompt, end-of-text token included: array (prompts,)."""
    sequences = [
        (tokenizer(prompt)["input_ids"], tokenizer(f" {completion.strip()}{tokenizer.eos_token}")["input_ids"])
        for prompt, completion in zip(prompts, completions, strict=True)
    ]
    scores, order = np.zeros(len(sequences), dtype=np.float32), sorted(range(len(sequences)), key=lambda i: len(sequences[i][0]))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        ids, mask = _right_padded(model, tokenizer, [sum(sequences[i], []) for i in rows])
        states = _states(model, ids, mask)
        for place, i in enumerate(rows):
            before, length = len(sequences[i][0]), len(sequences[i][1])
            span = slice(before - 1, before + length - 1)
            logs = model.lm_head(states[place, span]).float().log_softmax(-1)
            scores[i] = logs.gather(1, ids[place, before : before + length, None]).mean().item()
    return scores


@torch.inference_mode()
def top_k_targets(model, tokenizer, texts: list[str], k: int, batch_size: int = 32) -> list[tuple[np.ndarray, np.ndarray]]:
    """The teacher's k most probable next tokens at every position of each text, computed once and kept in memory.

    Returns:
        A pair a text: token ids (length, k) int32 and log-probabilities (length, k) float16, where row i predicts token
        i + 1. What the k tokens leave over is the tail's probability.
    """
    targets = [None] * len(texts)
    sequences = [tokenizer(text)["input_ids"] for text in texts]
    order = sorted(range(len(texts)), key=lambda i: len(sequences[i]))
    for start in tqdm(range(0, len(order), batch_size), desc="teacher distributions", unit="batch"):
        rows = order[start : start + batch_size]
        ids, mask = _right_padded(model, tokenizer, [sequences[i] for i in rows])
        logits = model.lm_head(_states(model, ids, mask)).float()
        values, indices = logits.topk(k)
        values = values - logits.logsumexp(-1, keepdim=True)
        for place, row in enumerate(rows):
            length = len(sequences[row])
            targets[row] = (indices[place, :length].cpu().numpy().astype(np.int32), values[place, :length].cpu().numpy().astype(np.float16))
    return targets
