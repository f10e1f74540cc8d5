"""Teachers: batching, the cache, the endpoint, label scores and top-k distributions."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import openai
import pytest
import tenacity
import torch

from labutils import precision
from labutils.teachers import AnswerCache, EndpointTeacher, LocalTeacher, answer_key, label_log_probabilities, top_k_targets

KEY = "sk-secret-4711"


@pytest.fixture
def teacher(model, tokenizer) -> LocalTeacher:
    return LocalTeacher(model, tokenizer, batch_size=4, max_new_tokens=12)


def naive_answer(model, tokenizer, prompt: str, tokens: int) -> str:
    """Greedy decoding of one prompt, one full forward pass a token."""
    ids = tokenizer(prompt)["input_ids"]
    start = len(ids)
    for _ in range(tokens):
        with torch.no_grad():
            ids = [*ids, model(torch.tensor([ids])).logits[0, -1].argmax().item()]
        if ids[-1] == tokenizer.eos_token_id:
            break
    return tokenizer.decode(ids[start:], skip_special_tokens=True)


def test_batched_answers_equal_answers_one_at_a_time(teacher, prompts):
    answers = teacher.respond(prompts, progress=False)
    alone = LocalTeacher(teacher.model, teacher.tokenizer, batch_size=1, max_new_tokens=12)
    assert answers == alone.respond(prompts, progress=False)
    assert answers == [naive_answer(teacher.model, teacher.tokenizer, prompt, 12) for prompt in prompts]
    assert len(set(answers)) > 8  # otherwise a wrong order would not show


def test_the_head_never_gets_a_slice(teacher, prompts):
    """On one, torch copies the head's weights for each prompt of the batch: 7 GB and half a minute for 64 prompts."""
    slices = []
    teacher.model.lm_head.register_forward_hook(lambda module, states, out: slices.append(not states[0].is_contiguous()))
    before = len(teacher.model.lm_head._forward_pre_hooks)
    teacher.respond(prompts[:4], progress=False)
    assert len(slices) > 1 and not any(slices)
    assert len(teacher.model.lm_head._forward_pre_hooks) == before


def test_answer_ends_at_the_end_token(teacher, prompts):
    """The output layer is bent so that the end token always follows; nothing is left of the answer."""
    with torch.no_grad():
        head = torch.nn.Linear(32, len(teacher.tokenizer))
        head.weight.zero_(), head.bias.zero_()
        head.bias[teacher.tokenizer.eos_token_id] = 1.0
    teacher.model.lm_head = head
    assert teacher.respond(prompts[:3], progress=False) == [""] * 3


class Counted:
    """Counts the prompts that a teacher's model is given, and breaks it after some batches."""

    def __init__(self, teacher: LocalTeacher, batches: int | None = None):
        self.prompts, self.batches, self.original = Counter(), batches, teacher._generate
        teacher._generate = self.generate

    def generate(self, prompts, temperature):
        if self.batches is not None:
            if self.batches == 0:
                raise KeyboardInterrupt
            self.batches -= 1
        self.prompts.update(prompts)
        return self.original(prompts, temperature)


def test_stopped_run_loses_nothing_and_asks_nothing_twice(teacher, prompts, tmp_path):
    expected, path = teacher.respond(prompts, progress=False), tmp_path / "answers.jsonl"
    broken = Counted(teacher, batches=2)
    with pytest.raises(KeyboardInterrupt):
        teacher.respond(prompts, AnswerCache(path), progress=False)
    assert len(AnswerCache(path).answers) == sum(broken.prompts.values()) == 8
    teacher._generate = broken.original
    rest = Counted(teacher)
    assert teacher.respond(prompts, AnswerCache(path), progress=False) == expected
    assert broken.prompts + rest.prompts == Counter(prompts)
    nothing = Counted(teacher)
    assert teacher.respond(prompts, AnswerCache(path), progress=False) == expected
    assert not nothing.prompts


def test_equal_prompts_are_asked_once(teacher, prompts):
    counted = Counted(teacher)
    first, second, third = teacher.respond([prompts[0], prompts[1], prompts[0]], progress=False)
    assert first == third != second and counted.prompts == Counter(prompts[:2])


def test_shipped_answers_are_used_and_never_written(teacher, prompts, tmp_path):
    shipped = tmp_path / "shipped.jsonl"
    AnswerCache(shipped).add(answer_key(prompts[0]), "as shipped")
    before = shipped.read_bytes()
    cache = AnswerCache(tmp_path / "own.jsonl", shipped)
    assert teacher.respond(prompts[:2], cache, progress=False)[0] == "as shipped"
    assert shipped.read_bytes() == before and len(AnswerCache(tmp_path / "own.jsonl").answers) == 1


def test_own_answer_stands_before_the_shipped_one(tmp_path):
    for name in ("shipped", "own"):
        AnswerCache(tmp_path / name).add("key", f"the {name} answer")
    assert AnswerCache(tmp_path / "own", tmp_path / "shipped").answers == {"key": "the own answer"}


CUTS = {
    "in the middle": lambda data: data[:-30],
    "before the newline": lambda data: data.rstrip(),
    "inside a letter": lambda data: data[: data.rindex("é".encode()) + 1],
}


@pytest.mark.parametrize("cut", CUTS)
def test_truncated_last_line_is_ignored(tmp_path, cut):
    path = tmp_path / "answers.jsonl"
    cache = AnswerCache(path)
    for number in range(3):
        cache.add(f"key {number}", f"answer {number} é")
    path.write_bytes(CUTS[cut](path.read_bytes()))
    answers = AnswerCache(path).answers
    answers.pop("key 2", None)  # complete when only the newline is lost
    assert answers == {"key 0": "answer 0 é", "key 1": "answer 1 é"}


@pytest.mark.parametrize("cut", CUTS)
def test_first_answer_after_a_truncated_line_is_not_lost(tmp_path, cut):
    path = tmp_path / "answers.jsonl"
    AnswerCache(path).add("first", "an answer that is cut short é")
    path.write_bytes(CUTS[cut](path.read_bytes()))
    AnswerCache(path).add("second", "whole")
    assert AnswerCache(path).answers["second"] == "whole"


@pytest.mark.parametrize("answer", ["", "two\nlines\r\n", "café 🙂 いつ", 'quote " and \\', "next\x85line", "separator\u2028here\u2029"])
def test_any_answer_survives_the_file(tmp_path, answer):
    AnswerCache(tmp_path / "answers.jsonl").add("key", answer)
    assert AnswerCache(tmp_path / "answers.jsonl").answers == {"key": answer}


def test_answers_from_many_threads_are_all_kept(tmp_path):
    cache = AnswerCache(tmp_path / "answers.jsonl")
    threads = [threading.Thread(target=lambda n=n: [cache.add(f"{n}-{i}", "x" * 500) for i in range(20)]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(AnswerCache(tmp_path / "answers.jsonl").answers) == 160


def test_different_sampling_settings_do_not_share_answers(teacher, prompts, tmp_path):
    cache, prompt = AnswerCache(tmp_path / "answers.jsonl"), prompts[:1]
    settings = [{}, {"temperature": 0.7}, {"temperature": 1.0}, {"temperature": 1.0, "seed": 1}]
    answers = [teacher.respond(prompt, cache, **setting, progress=False)[0] for setting in settings]
    assert len(cache.answers) == 4 and len(set(answers)) > 1
    assert [teacher.respond(prompt, cache, **setting, progress=False)[0] for setting in settings] == answers


def test_sampling_repeats_with_its_seed(teacher, prompts):
    one, same, other = (teacher.respond(prompts, temperature=1.0, seed=seed, progress=False) for seed in (1, 1, 2))
    assert one == same != other


class StandIn:
    """An OpenAI-compatible endpoint on this machine. `plan(prompt, attempt)` gives the HTTP status of each request."""

    def __init__(self):
        self.requests, self.lock, self.plan = [], threading.Lock(), lambda prompt, attempt: 200
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def attempts(self) -> Counter:
        return Counter(body["messages"][-1]["content"] for body, _ in self.requests)

    def handler(stand_in):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                prompt = body["messages"][-1]["content"]
                with stand_in.lock:
                    stand_in.requests.append((body, self.headers["Authorization"]))
                    status = stand_in.plan(prompt, stand_in.attempts[prompt])
                answer = json.dumps(completion(prompt) if status == 200 else {"error": {"message": f"status {status}"}}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args):
                """Quiet."""

        return Handler


def completion(prompt: str) -> dict:
    """A chat completion that repeats the prompt; its usage is 10 tokens in and 3 out."""
    message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"echo {prompt}"}}
    usage = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "big", "choices": [message], "usage": usage}


@pytest.fixture
def endpoint(monkeypatch):
    """A running stand-in and its key; waits between retries are noted in `waits` instead of slept."""
    stand_in = StandIn()
    stand_in.waits = []
    monkeypatch.setenv("LAB_ENDPOINT_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=stand_in.waits.append))
    yield stand_in
    stand_in.server.shutdown()
    stand_in.server.server_close()


def remote(endpoint, **settings) -> EndpointTeacher:
    return EndpointTeacher("big", endpoint.url, **{"parallel": 1, **settings})


ASKED = [f"prompt {number}" for number in range(6)]


def test_endpoint_answers_in_the_order_of_the_prompts(endpoint, tmp_path):
    cache = AnswerCache(tmp_path / "answers.jsonl")
    answers = remote(endpoint, parallel=4).respond([*ASKED, ASKED[0]], cache, progress=False)
    assert answers == [f"echo {prompt}" for prompt in [*ASKED, ASKED[0]]]
    assert endpoint.attempts == Counter(ASKED)
    assert remote(endpoint).respond(ASKED, AnswerCache(cache.path), progress=False) == answers[:6]
    assert len(endpoint.requests) == 6  # all from the file


@pytest.mark.parametrize("changed", [{"max_new_tokens": 99}, {"system": "Two lines."}, {"base_url": "another"}])
def test_another_endpoint_or_setting_is_asked_anew(endpoint, tmp_path, changed):
    cache = AnswerCache(tmp_path / "answers.jsonl")
    teacher = remote(endpoint)
    teacher.respond(ASKED[:1], cache, progress=False)
    for name, value in changed.items():
        setattr(teacher, name, endpoint.url + "/" if name == "base_url" else value)
    teacher.respond(ASKED[:1], cache, progress=False)
    assert len(endpoint.requests) == 2


def test_endpoint_request_carries_the_settings(endpoint):
    remote(endpoint, system="One line.", max_new_tokens=40).respond(["hello"], temperature=0.5, seed=3, progress=False)
    ((body, authorization),) = endpoint.requests
    assert authorization == f"Bearer {KEY}"
    assert body["messages"] == [{"role": "system", "content": "One line."}, {"role": "user", "content": "hello"}]
    assert (body["model"], body["temperature"], body["seed"], body["max_tokens"]) == ("big", 0.5, 3, 40)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_endpoint_retries_and_then_succeeds(endpoint, status):
    endpoint.plan = lambda prompt, attempt: status if attempt <= 3 else 200
    teacher = remote(endpoint)
    assert teacher.respond(["hello"], progress=False) == ["echo hello"]
    assert endpoint.attempts == {"hello": 4} and teacher.usage["requests"] == 1
    assert len(endpoint.waits) == 3 and endpoint.waits == sorted(set(endpoint.waits)) and endpoint.waits[0] > 0


@pytest.mark.parametrize("status, error", [(429, openai.RateLimitError), (500, openai.InternalServerError)])
def test_endpoint_gives_up_after_five_attempts(endpoint, status, error):
    endpoint.plan = lambda prompt, attempt: status
    with pytest.raises(error):
        remote(endpoint).respond(["hello"], progress=False)
    assert endpoint.attempts == {"hello": 5}


@pytest.mark.parametrize("status, error", [(400, openai.BadRequestError), (401, openai.AuthenticationError)])
def test_endpoint_does_not_repeat_a_wrong_request(endpoint, status, error):
    endpoint.plan = lambda prompt, attempt: status
    with pytest.raises(error):
        remote(endpoint).respond(["hello"], progress=False)
    assert endpoint.attempts == {"hello": 1} and endpoint.waits == []


def test_endpoint_counts_usage_and_cost(endpoint):
    teacher = remote(endpoint, parallel=4, price_in=2.0, price_out=8.0)
    assert teacher.cost == 0
    endpoint.plan = lambda prompt, attempt: 500 if prompt == ASKED[2] and attempt == 1 else 200
    teacher.respond(ASKED, progress=False)
    assert teacher.usage == {"requests": 6, "tokens_in": 60, "tokens_out": 18}
    assert teacher.cost == pytest.approx((60 * 2.0 + 18 * 8.0) / 1e6)
    assert remote(endpoint).usage["requests"] == 0  # each teacher counts for itself


def test_missing_key_names_the_variable_and_asks_nothing(endpoint, monkeypatch):
    monkeypatch.setenv("LAB_ENDPOINT_KEY", "")
    with pytest.raises(RuntimeError, match="No key: set the environment variable LAB_ENDPOINT_KEY"):
        remote(endpoint).respond(ASKED, progress=False)
    with pytest.raises(RuntimeError, match="OTHER_KEY"):
        remote(endpoint, key_variable="OTHER_KEY").respond(ASKED, progress=False)
    assert endpoint.requests == []


def test_key_is_never_shown_or_stored(endpoint, tmp_path):
    endpoint.plan = lambda prompt, attempt: 401 if prompt == ASKED[5] else 200
    teacher, cache = remote(endpoint), AnswerCache(tmp_path / "answers.jsonl")
    with pytest.raises(openai.AuthenticationError) as error:
        teacher.respond(ASKED, cache, progress=False)
    assert len(cache.answers) == 5
    for shown in (repr(teacher), str(vars(teacher)), cache.path.read_text(encoding="utf-8"), str(error.value)):
        assert KEY not in shown


def test_endpoint_resumes_after_a_failure(endpoint, tmp_path):
    endpoint.plan = lambda prompt, attempt: 500 if prompt == ASKED[3] else 200
    with pytest.raises(openai.InternalServerError):
        remote(endpoint).respond(ASKED, AnswerCache(tmp_path / "answers.jsonl"), progress=False)
    answered = len(AnswerCache(tmp_path / "answers.jsonl").answers)
    assert 3 <= answered <= 5 and endpoint.attempts[ASKED[3]] == 5
    before, endpoint.plan = endpoint.attempts, lambda prompt, attempt: 200
    answers = remote(endpoint).respond(ASKED, AnswerCache(tmp_path / "answers.jsonl"), progress=False)
    assert answers == [f"echo {prompt}" for prompt in ASKED]
    assert sum((endpoint.attempts - before).values()) == 6 - answered


@pytest.mark.parametrize("change", [{"model": "other"}, {"system": "Answer in French."}, {"temperature": 1.0}, {"seed": 1}])
def test_endpoint_answers_are_not_shared_between_settings(endpoint, tmp_path, change):
    cache, sampling = AnswerCache(tmp_path / "answers.jsonl"), {k: v for k, v in change.items() if k in ("temperature", "seed")}
    remote(endpoint).respond(["hello"], cache, progress=False)
    teacher = remote(endpoint)
    for name in change.keys() - sampling.keys():
        setattr(teacher, name, change[name])
    teacher.respond(["hello"], cache, **sampling, progress=False)
    assert endpoint.attempts == {"hello": 2}


def log_softmax(model, ids: list[int]) -> torch.Tensor:
    """Log-probabilities (length, vocabulary) of one sequence without padding, in double precision."""
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].double().log_softmax(-1)


def naive_label_scores(model, tokenizer, prompts, labels, whole: bool) -> np.ndarray:
    """Label by label and token by token: the label's first token only, or all of it and the separator that closes it."""
    table = np.zeros((len(prompts), len(labels)))
    for row, prompt in enumerate(prompts):
        for column, label in enumerate(labels):
            start = tokenizer(prompt)["input_ids"]
            end = tokenizer(f" {label} |")["input_ids"] if whole else tokenizer(f" {label}")["input_ids"][:1]
            logs = log_softmax(model, start + end)
            table[row, column] = sum(logs[len(start) - 1 + place, token].item() for place, token in enumerate(end))
    return table - np.log(np.exp(table).sum(1, keepdims=True))


# The second list needs whole labels: two begin alike, and one is the beginning of another.
LABELS = [["cancel", "invoice", "tracking"], ["cancel", "cancel order", "cancellation", "tracking"]]


@pytest.mark.parametrize("labels", LABELS)
def test_label_scores_equal_a_naive_loop(model, tokenizer, prompts, labels):
    firsts = [tokenizer(f" {label}")["input_ids"][0] for label in labels]
    shared = len(set(firsts)) < len(firsts)
    assert shared == (labels is LABELS[1])
    scores = label_log_probabilities(model, tokenizer, prompts, labels, batch_size=5)
    assert scores.shape == (12, len(labels))
    np.testing.assert_allclose(scores, naive_label_scores(model, tokenizer, prompts, labels, whole=shared), atol=2e-4)
    assert scores.std(axis=0).min() > 0.05  # otherwise a wrong order of the prompts would not show


@pytest.mark.parametrize("labels", LABELS)
def test_label_scores_are_normalised(model, tokenizer, prompts, labels):
    scores = label_log_probabilities(model, tokenizer, prompts, labels)
    np.testing.assert_allclose(np.exp(scores).sum(1), 1, atol=1e-5)


def test_scored_label_is_the_one_that_training_shows(tokenizer, task, examples):
    for example in examples:
        start = tokenizer(task.prompt(example))["input_ids"] + tokenizer(f" {example.label}")["input_ids"]
        whole = tokenizer(task.prompt(example) + task.gold(example))["input_ids"]
        assert whole[: len(start)] == start and whole[len(start)] == tokenizer(" |")["input_ids"][0]


@pytest.mark.parametrize("k", [1, 8])
def test_top_k_targets_equal_naive_log_softmax(model, tokenizer, prompts, k):
    targets = top_k_targets(model, tokenizer, prompts, k, batch_size=5)
    assert len(targets) == len(prompts)
    for prompt, (ids, logs) in zip(prompts, targets):
        expected = log_softmax(model, tokenizer(prompt)["input_ids"])
        assert ids.shape == logs.shape == (len(expected), k) and (ids.dtype, logs.dtype) == (np.int32, np.float16)
        assert (np.diff(logs.astype(float), axis=1) <= 0).all()
        best = expected.topk(k).values.numpy()
        np.testing.assert_allclose(logs, best, rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(np.take_along_axis(expected.numpy(), ids.astype(int), 1), best, atol=1e-4)


def test_top_k_targets_in_bfloat16_are_nearly_the_same(model, tokenizer, prompts, monkeypatch):
    """Weights are ten times larger here than in real models, and so is the rounding."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    exact = top_k_targets(model, tokenizer, prompts, 8)
    torch.set_float32_matmul_precision("medium")
    rounded = top_k_targets(model, tokenizer, prompts, 8)
    moved = np.concatenate([np.abs(np.exp(a[1].astype(float)) - np.exp(b[1].astype(float)))[:, 0] for a, b in zip(exact, rounded)])
    assert 0 < moved.max() and moved.mean() < 0.05
