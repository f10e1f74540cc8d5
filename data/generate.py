"""Write the generated half of the conversation pool: hand-written fragments, put together and roughened by a seeded generator.

Usage: python data/generate.py > generated.jsonl      (each line: text, intent)
"""

import json
import random
import re
from pathlib import Path

FRAGMENTS = json.loads((Path(__file__).parent / "generator" / "fragments.json").read_text(encoding="utf-8"))
PER_INTENT = 350


def typo(word: str, rng: random.Random) -> str:
    """One slip of the finger in a longer word: two letters swapped, one lost or one doubled."""
    if len(word) < 5 or not word.isalpha():
        return word
    place = rng.randrange(1, len(word) - 2)
    swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return rng.choice([swapped, word[:place] + word[place + 1 :], word[:place] + word[place] + word[place:]])


def roughen(text: str, rng: random.Random) -> str:
    """Typing habits: lowercase, missing punctuation, slips; each message has a few of them or none."""
    if rng.random() < 0.3:
        text = text.lower()
    if rng.random() < 0.25:
        text = re.sub(r"[.,;!]", "", text)
    if rng.random() < 0.35:
        words = text.split(" ")
        for place in rng.sample(range(len(words)), min(2, len(words))):
            words[place] = typo(words[place], rng)
        text = " ".join(words)
    return re.sub(r"\s+", " ", text).strip()


def message(intent: str, rng: random.Random) -> str:
    """One message: opening, core request, now and then a filler or a second request, closing."""
    core = rng.choice(FRAGMENTS["cores"][intent])
    parts = [rng.choice(FRAGMENTS["openings"]), core.format(product=rng.choice(FRAGMENTS["products"]), order=rng.randrange(10000, 100000))]
    if rng.random() < 0.2:
        parts.insert(1, rng.choice(FRAGMENTS["fillers"]))
    if rng.random() < 0.12:
        parts.append(rng.choice(FRAGMENTS["second_requests"]))
    if rng.random() < 0.5:
        parts.append(rng.choice(FRAGMENTS["closings"]))
    return roughen(" ".join(part for part in parts if part), rng)


def generate(seed: int = 0) -> list[dict]:
    """PER_INTENT distinct messages for each intent, in mixed order; the same seed gives the same list."""
    rng, rows, seen = random.Random(seed), [], set()
    for intent in FRAGMENTS["cores"]:
        count = 0
        while count < PER_INTENT:
            text = message(intent, rng)
            if text not in seen:
                seen.add(text)
                rows.append({"text": text, "intent": intent})
                count += 1
    rng.shuffle(rows)
    return rows


if __name__ == "__main__":
    for row in generate():
        print(json.dumps(row, ensure_ascii=False))
