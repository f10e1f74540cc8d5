"""Seeded generator of extractive question answering items (shop passages, span or "not stated").

A passage is a few facts of one theme (care, delivery, warranty ...), each said by a sentence frame with slots.
A "unit" is one thing that can be asked about (a slot of a kind of fact, or an entity of a paired fact). Questions
on units the passage expresses are answerable; questions on units it does not express are "not stated".
"""
import json
import random
import re
import sys
from collections import Counter
from pathlib import Path

FRAGMENTS = json.loads((Path(__file__).parent / "fragments.json").read_text())
KINDS, POOLS = FRAGMENTS["kinds"], FRAGMENTS["pools"]
STOP = set(FRAGMENTS["stop"].split())
MARK = re.compile("\x01([^\x02]*)\x02([^\x03]*)\x03")  # a slot value inside a text: start, key, value, end
NONE = "not stated"
ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen").split()
TENS = "x x twenty thirty forty fifty sixty seventy eighty ninety".split()


def number_word(n):
    """Spell a whole number below 100."""
    if n < 20:
        return ONES[n]
    return TENS[n // 10] + ("-" + ONES[n % 10] if n % 10 else "")


def expand_number(match, rng):
    """Turn "w:2,3 day|days" (words or digits) or "d:2,3 cm" (digits only) into a text."""
    number = rng.choice(match[2].split(","))
    units = (match[3] or "").split("|")
    unit = units[0] if number == "1" else units[-1]
    if match[1] == "w" and int(number) < 61 and rng.random() < 0.5:
        number = number_word(int(number))
    return f"{number} {unit}".strip()


def draw(spec, rng):
    """Draw a (name, synonym) pair from a pool, list or number spec."""
    if isinstance(spec, str) and spec.startswith("pool:"):
        return draw(POOLS[spec[5:]], rng)
    if isinstance(spec, list):
        choice = rng.choice(spec)
        return tuple(choice) if isinstance(choice, list) else draw(choice, rng)
    text = re.sub(r"\b([wd]):([-\d.,]+)(?: ([a-zA-Z| ]+))?", lambda m: expand_number(m, rng), spec)
    return text, text


def canonical(text):
    """Value with number words as digits, to tell whether two values are the same."""
    words = {number_word(n): str(n) for n in range(61)}
    return " ".join(words.get(w, w) for w in text.lower().split())


def resolve(spec, product):
    """Specs that depend on the product: its parts, materials and extras."""
    if spec == "material":
        return POOLS["wood_stuff" if "wood" in product["tags"] else "hard_stuff"]
    if spec == "hard parts":
        return [p for p in product["parts"] if p[0] not in FRAGMENTS["no_material"]]
    if spec in ("part", "parts"):
        return product["parts"]
    return product["extras"] if spec == "extra" else spec


def slot_names(frame):
    """Names of the one-letter value slots in a frame ({p} and {n} are the product, not values)."""
    return [s for s in re.findall(r"\{(\w)\}", frame) if s not in "pn"]


def slot_spec(kind, slot, product):
    """The spec a slot draws from, for plain and for paired kinds."""
    bind = kind.get("bind")
    if bind:
        return resolve(bind["ent"] if slot in "ab" else bind["val"], product)
    return resolve(kind["slots"][slot], product)


def fill_values(kind, frame, product, taken, rng):
    """Draw a value for every slot of a frame, none equal to a value already in the passage."""
    values = {}
    for slot in slot_names(frame):
        for _ in range(30):
            value = draw(slot_spec(kind, slot, product), rng)
            key = canonical(value[0])
            if key not in taken:
                break
        else:
            return None
        taken.add(key)
        values[slot] = value
    return values


def unit_type(kind, unit):
    """Type of the answer of a unit (a slot name, "fwd" or "rev")."""
    if unit == "rev":
        return kind["rev_type"]
    return kind.get("types", {}).get(unit, kind["type"])


def units_of(kind):
    """All units that can be asked about a kind."""
    if "bind" in kind:
        return ["fwd"] + (["rev"] if "rev" in kind else [])
    return list(kind["asks"])


def fits(kind, theme, product):
    """Whether a kind of fact suits the theme and the product."""
    tags = set(product["tags"])
    if theme not in kind["themes"] or tags & set(kind.get("not_tags", [])):
        return False
    return not kind["tags"] or bool(tags & set(kind["tags"]))


def clashes(name, others):
    """Whether a kind would make questions ambiguous beside the others."""
    return any(o in KINDS[name].get("clash", []) or name in KINDS[o].get("clash", []) for o in others)


def make_menu():
    """For every kind the (theme, product, kinds) it can stand in, where there are enough kinds to choose from."""
    menu = {}
    for theme, tags in FRAGMENTS["theme_tags"].items():
        for product in FRAGMENTS["products"]:
            names = [n for n, k in KINDS.items() if fits(k, theme, product)]
            if set(tags) & set(product["tags"]) and len(names) >= 7:
                for name in names:
                    menu.setdefault(name, []).append((theme, product, names))
    return menu


def pick_setting(menu, used, rng):
    """A little used kind with a theme and product it suits, so that kinds come out about equally often."""
    kind = min(rng.sample(list(menu), 8), key=lambda n: used[n])
    return (kind, *rng.choice(menu[kind]))


def pick_kinds(first, names, used, rng):
    """Two to four kinds, the first two sharing an answer type where possible."""
    names = sorted((n for n in names if n != first), key=lambda n: (used[n] + 5) * rng.random())
    chosen = [first]
    kin = [n for n in names if KINDS[n]["type"] == KINDS[first]["type"]]
    rest = [n for n in names if n not in kin[:1]]
    wanted = rng.choice([2, 3, 3, 3, 4, 4])
    for name in kin[:1] + rest:
        if len(chosen) < wanted and not clashes(name, chosen):
            chosen.append(name)
    rng.shuffle(chosen)
    return chosen


def pick_frame(name, used, rng):
    """A little used frame of a kind, or (harder) one with two values."""
    says = KINDS[name]["says"]
    few = rng.sample(says, min(3, len(says)))
    by_use = rng.random() < 0.5
    frame = min(few, key=lambda f: used[name, f] if by_use else -len(slot_names(f)))
    used[name, frame] += 1
    return frame


def make_facts(names, product, used, rng):
    """Facts (kind, frame, values) for the chosen kinds, or None if values run out."""
    facts, taken = [], set()
    for name in names:
        kind = KINDS[name]
        frame = pick_frame(name, used, rng)
        values = fill_values(kind, frame, product, taken, rng)
        if values is None:
            return None
        facts.append({"kind": name, "frame": frame, "values": values})
    return facts


def swap(text, table, rng):
    """Exchange some phrases for others of the same meaning, outside slot marks."""
    for old, new in table:
        if old in text and rng.random() < 0.5:
            text = text.replace(old, new, 1)
    return text


def render(fact, rng):
    """The sentence of a fact with every slot value marked by kind and slot."""
    text = swap(fact["frame"], FRAGMENTS["say_swaps"], rng)
    text = re.sub(r"(?:a\(n\)|\{an\}) \{(\w)\}", lambda m: ("an" if fact["values"][m[1]][0][0] in "aeiou" else "a")
                  + " {" + m[1] + "}", text)
    return re.sub(r"\{([a-oq-z])\}", lambda m: m[0] if m[1] == "n" else
                  f"\x01{fact['kind']}.{m[1]}\x02{fact['values'][m[1]][0]}\x03", text)


def capitalise(text):
    """Upper-case the first letter of a sentence, looking past a slot mark."""
    start = text.index("\x02") + 1 if text.startswith("\x01") else 0
    return text[:start] + text[start:start + 1].upper() + text[start + 1:]


def lower_first(text):
    """Lower-case the first letter unless the sentence starts with a slot or with I."""
    if text.startswith("\x01") or re.match(r"I\b|A:|[A-Z]{2}", text):
        return text
    return text[:1].lower() + text[1:]


def is_plain(text):
    """Whether a sentence may be glued to another one or take a lead."""
    inner = MARK.sub("x", text)
    return not re.search(r"[:?;(]|\. |, and | - ", inner)


def count_sentences(pieces):
    """Number of full stops and the like at sentence ends."""
    return len(re.findall(r"[.!?](?= |$)", MARK.sub("x", " ".join(pieces))))


def glue(pieces, limit, rng):
    """Join neighbouring sentences until there are at most limit, as far as they can be joined."""
    pieces = list(pieces)
    while count_sentences(pieces) > limit:
        spots = [i for i in range(len(pieces) - 1) if is_plain(pieces[i]) and is_plain(pieces[i + 1])]
        if not spots:
            break
        i = rng.choice(spots)
        joint = rng.choice(FRAGMENTS["joins"])
        if re.search(r"\b(because|since|so|that|for|as)\b", pieces[i]):
            joint = "; "  # an "and" would make it unclear where the reason ends
        joined = pieces[i].rstrip(".!") + joint + lower_first(pieces[i + 1])
        pieces[i:i + 2] = [joined]
    return pieces


def name_product(text, product, theme, rng, opened):
    """Replace {p} by the product's name or, once it has been named, by "it"."""
    fixed = theme in ("event", "store", "plant", "food")
    state = {"named": opened}

    def one(_):
        """The next mention."""
        if state["named"] and rng.random() < 0.55:
            return "it"
        state["named"] = True
        return rng.choice(["the", "this"] if fixed else ["the", "the", "your", "this"]) + " " + product["n"]
    return re.sub(r"\{p\}", one, text)


def pick_opener(pieces, product, theme, rng):
    """An opening line or none; one that names the product if the text would start with a bare "it"."""
    options = FRAGMENTS["openers"][theme]
    goods = theme not in ("delivery", "returns", "store") and rng.random() < 0.8
    if "{p}" not in pieces[0] and (goods or re.search(r"\b[Ii]t\b", pieces[0])):
        options = [o for o in options if "{n}" in o or "{p}" in o] or options
    elif rng.random() < 0.35:
        return ""
    line = rng.choice(options).replace("{pg}", str(rng.randint(2, 9)))
    line = line.replace("{line}", rng.choice(FRAGMENTS["lines"]))
    line = re.sub(r"\b([Aa]) \{n\}", lambda m: m[1] + ("n" if product["n"][0] in "aeiou" else "") + " {n}", line)
    return line.replace("{n}", product["n"])


def telegram(text):
    """Drop articles outside slot values, as in a note by someone in a hurry or a non-native writer."""
    parts = re.split("(\x01[^\x03]*\x03)", text)
    return "".join(p if p.startswith("\x01") else re.sub(r"\b(the|a|an) ", "", p) for p in parts)


def compose(facts, near, product, theme, rng):
    """Marked passage text from facts, an optional near miss and an optional filler."""
    pieces = [render(f, rng) for f in facts]
    for extra in near:
        pieces.insert(rng.randint(0, len(pieces)), extra)
    opener = pick_opener(pieces, product, theme, rng)
    if rng.random() < 0.35:
        i = rng.randrange(0 if opener else 1, len(pieces))
        if is_plain(pieces[i]) and not pieces[i].startswith("\x01"):
            pieces[i] = rng.choice(FRAGMENTS["leads"]) + " " + lower_first(pieces[i])
    filler = rng.choice(FRAGMENTS["fillers"][theme]) if rng.random() < 0.15 else ""
    limit = rng.choice([2, 3, 3, 4]) - bool(filler)
    pieces = [capitalise(p) for p in glue(pieces, limit, rng)]
    # an aside now and then, so that facts do not only stand between full stops
    if len(pieces) > 2 and is_plain(pieces[-1]) and rng.random() < 0.1:
        last = pieces.pop()
        pieces[-1] = pieces[-1].rstrip(".!") + " (" + lower_first(last).rstrip(".!") + ")."
    pieces = ([capitalise(opener)] if opener else []) + pieces + ([filler] if filler else [])
    text = name_product(" ".join(pieces), product, theme, rng, product["n"] in opener)
    text = re.sub(r"(?<=[.!?] )it\b", "It", text)
    text = re.sub("(?<=[.!?] )(the|your|this) ", lambda m: m[0].capitalize(), capitalise(text))
    if rng.random() < 0.04:
        text = capitalise(telegram(text))
    return text.lower() if rng.random() < 0.06 else text


def pick_near(absent, facts, balance, rng):
    """A kind to mention without its fact: one with an answer type of the passage whose questions are owed a "no"."""
    types = present_types(facts)
    options = [n for n in absent if any(unit_type(KINDS[n], u) in types for u in units_of(KINDS[n]))]
    if not options or rng.random() < 0.3:
        return None
    few = rng.sample(options, min(4, len(options)))
    return max(few, key=lambda n: max(balance.debt((n, u)) for u in units_of(KINDS[n])))


def make_passage(menu, balance, rng):
    """One passage with the values it holds, or None if it came out badly."""
    first, theme, product, names = pick_setting(menu, balance.used, rng)
    chosen = pick_kinds(first, names, balance.used, rng)
    facts = make_facts(chosen, product, balance.used, rng)
    if facts is None or not 3 <= sum(len(f["values"]) for f in facts) <= 9:
        return None
    if max(present_types(facts).values()) < 2:
        return None
    absent = [n for n in names if n not in chosen and not clashes(n, chosen)]
    near = pick_near(absent, facts, balance, rng)
    # a near miss of a stated fact as well, so that such sentences do not give "not stated" away
    touched = [near] if near else []
    touched += [rng.choice(chosen)] if rng.random() < 0.2 else []
    marked = compose(facts, [rng.choice(KINDS[n]["near"]) for n in touched], product, theme, rng)
    plain = MARK.sub(lambda m: m[2], marked)
    words = len(plain.split())
    if not 22 <= words <= 56 or count_sentences([plain]) > 5:
        return None
    spans = {m[1]: m[2] for m in MARK.finditer(marked)}
    absent = [n for n in absent if not clashes(n, [t for t in touched if t != n])]
    return {"text": plain, "spans": spans, "facts": facts, "product": product, "absent": absent, "near": near,
            "theme": theme}


def show_entity(pair, bind, rng):
    """How the question calls an entity: mostly by its synonym."""
    return pair[1] if bind.get("syn_only") or rng.random() < 0.7 else pair[0]


def answerable_units(passage):
    """All askable (kind, unit, answer, question entity, raw value) of a passage."""
    found = []
    for fact in passage["facts"]:
        name, kind, values = fact["kind"], KINDS[fact["kind"]], fact["values"]
        if "bind" not in kind:
            found += [(name, s, passage["spans"][f"{name}.{s}"], None, values[s][0]) for s in kind["asks"] if s in values]
            continue
        for ent, val in kind["bind"]["pairs"]:
            if ent in values and val in values:
                found.append((name, "fwd", passage["spans"][f"{name}.{val}"], values[ent], values[val][0]))
                if "rev" in kind:
                    found.append((name, "rev", passage["spans"][f"{name}.{ent}"], values[val], values[ent][0]))
    return found


def other_entity(name, unit, fact, product, rng):
    """An entity (or value, for reverse questions) that the passage's fact does not speak about."""
    bind = KINDS[name]["bind"]
    spec = resolve(bind["ent"] if unit == "fwd" else bind["val"], product)
    used = {v[0] for v in fact["values"].values()} if fact else set()
    for _ in range(20):
        pair = draw(spec, rng)
        if pair[0] not in used:
            return pair
    return None


def present_types(facts):
    """How many values of each type the facts of a passage hold."""
    types = Counter()
    for fact in facts:
        kind = KINDS[fact["kind"]]
        for slot in fact["values"]:
            if "bind" not in kind:
                types[unit_type(kind, slot)] += 1
            elif slot in "vwu":
                types[kind["type"]] += 1
            elif "rev" in kind:
                types[kind["rev_type"]] += 1
    return types


def missing_units(passage, rng):
    """All (kind, unit, entity, how close) that the passage could hold but does not."""
    types, groups = present_types(passage["facts"]), FRAGMENTS["groups"]
    coarse = {groups.get(t, t) for t in types}
    facts = {f["kind"]: f for f in passage["facts"]}
    found = []
    for name in passage["absent"] + list(facts):
        kind, fact = KINDS[name], facts.get(name)
        for unit in units_of(kind):
            if fact and "bind" not in kind and unit in fact["values"]:
                continue
            kind_type = unit_type(kind, unit)
            close = 2 if kind_type in types else 1 if groups.get(kind_type, kind_type) in coarse else 0
            entity = other_entity(name, unit, fact, passage["product"], rng) if "bind" in kind else None
            if close and not ("bind" in kind and entity is None):
                touched = name == passage["near"] or bool(fact)
                found.append((name, unit, entity, 0.2 * close + 0.8 * touched))
    return found


def wordings(name, unit):
    """The question wordings of a unit."""
    kind = KINDS[name]
    return kind[unit] if unit in ("fwd", "rev") else kind["asks"][unit]


def content(text):
    """Crudely stemmed content words of a text."""
    words = re.findall(r"[a-z']+", text.lower())
    return {re.sub(r"(ing|ed|es|s)$", "", w) for w in words if w not in STOP and len(w) > 2}


def shared(question, passage, name):
    """Number of content words a question shares with the sentence that holds the answer."""
    fact = next(f for f in passage["facts"] if f["kind"] == name)
    said = fact["frame"] + " " + " ".join(v[0] for v in fact["values"].values())
    own = content(passage["product"]["n"])
    return len((content(question) & content(said)) - own)


def unit_word(kind, unit, value, rng):
    """The unit of measure for "How many {unit}" questions, or None if the value has no plain one."""
    value = value or draw(kind["slots"][unit], rng)[0]
    match = re.fullmatch(r"[\w-]+ ((?:working )?(?:second|minute|hour|day|week|month|year)s)", value)
    return match[1] if match and not re.match("a |half|every", value) else None


def call_product(product, theme, rng):
    """A noun phrase for the product in a question."""
    if rng.random() < 0.25:
        return "it"
    noun = rng.choice(product["q"] + [product["n"]])
    fixed = theme in ("event", "store", "plant", "food")
    return rng.choice(["the", "this"] if fixed else ["the", "this", "my"]) + " " + noun


def fill_question(template, passage, unit, entity, value, name, rng):
    """Fill the slots of a question template; None if it does not suit the value."""
    text, kind = template.lstrip("#"), KINDS[name]
    if "{unit}" in text:
        word = unit_word(kind, unit, value, rng)
        if word is None:
            return None
        text = text.replace("{unit}", word)
    if entity:
        shown = show_entity(entity, kind["bind"], rng)
        text = text.replace("a {x}", "an {x}") if re.match("[aeio]", shown) else text
        text = text.replace("{x}", shown).replace("{y}", entity[1])
        text = text.replace("the the ", "the ")
    product = passage["product"]
    text = text.replace("{n}", rng.choice(product["q"] + [product["n"]]))
    text = text.replace("{q}", call_product(product, passage["theme"], rng))
    return capitalise(swap(text, FRAGMENTS["swaps"], rng))


def dress(question, rng):
    """Sometimes add a greeting, or write the question carelessly."""
    roll = rng.random()
    if roll < 0.12:
        wrap = rng.choice(FRAGMENTS["q_wrap"])
        if wrap.endswith((", {}", ": {}", "but {}")):
            question = question if re.match(r"I\b|E\d|F\d", question) else question[0].lower() + question[1:]
        return wrap.format(question)
    if roll < 0.18:
        return question.lower().rstrip("?")
    return capitalise(telegram(question)) if roll < 0.21 else question


def occurs_once(answer, text):
    """Whether the answer stands in the passage exactly once as whole words."""
    return len(re.findall(r"(?<![\w.-])" + re.escape(answer.lower()) + r"(?![\w-]|\.\d)", text.lower())) == 1


class Balance:
    """Keeps answerable and unanswerable uses of every unit and wording in the same proportion."""

    def __init__(self):
        """Start with empty counts."""
        self.yes, self.no, self.used = Counter(), Counter(), Counter()

    def debt(self, key):
        """Positive where a key has been answerable too often."""
        return self.yes[key] / 3 - self.no[key]

    def best(self, options, key, sign, rng):
        """Options sorted by debt, ties broken by chance."""
        return sorted(options, key=lambda o: sign * self.debt(key(o)) + rng.random() * 0.3)


def ask(passage, name, unit, answer, entity, value, balance, rng):
    """One row on a unit, with the wording that the balance wants most; None if no wording suits."""
    kind, sign = KINDS[name], 1 if answer else -1
    options = balance.best(list(enumerate(wordings(name, unit))), lambda o: (name, unit, o[0]), sign, rng)
    if not answer:
        # a "not stated" question should sound as close to the passage as the balance allows
        words = content(passage["text"]) - content(passage["product"]["n"])
        options.sort(key=lambda o: -bool(content(o[1]) & words) if balance.debt((name, unit, o[0])) > -0.5 else 1)
    for index, template in options:
        question = fill_question(template, passage, unit, entity, value, name, rng)
        if question is None:
            continue
        gold = NONE
        if answer:
            gold = answer.split()[0] if template.startswith("#") else answer
            # questions must paraphrase: at most two content words in common, mostly fewer
            overlap = shared(question, passage, name)
            if overlap > 2 or (overlap == 2 and rng.random() < 0.5) or not occurs_once(gold, passage["text"]):
                continue
        counter = balance.yes if answer else balance.no
        counter[(name, unit, index)] += 1
        counter[(name, unit)] += 1
        balance.used[name] += 1 / len(units_of(kind))
        return make_row(passage["text"], dress(question, rng), gold)
    return None


def make_row(text, question, gold):
    """A row in the format of train.jsonl."""
    return {"messages": [{"role": "user", "content": f"Passage: {text}\nQuestion: {question}"},
                         {"role": "assistant", "content": gold}],
            "label": "unanswerable" if gold == NONE else "answerable"}


def rows_of(passage, balance, totals, rng):
    """Two to four rows on different units of one passage."""
    rows = []
    wanted = rng.choice([1, 2, 2, 3])
    types = present_types(passage["facts"])
    options = balance.best(answerable_units(passage), lambda o: o[:2], 1, rng)
    # units with a second value of the same type first: there, matching the type is not enough
    options.sort(key=lambda o: types[unit_type(KINDS[o[0]], o[1])] < 2 and rng.random() < 0.8)
    for name, unit, answer, entity, value in options:
        if len(rows) < wanted and balance.debt((name, unit)) < 1.2:
            row = ask(passage, name, unit, answer, entity, value, balance, rng)
            rows += [row] if row else []
    missing = balance.best(missing_units(passage, rng), lambda o: o[:2], -1, rng)
    # near misses first, but only where the unit is owed a "no"
    missing = [o for o in missing if balance.debt(o[:2]) > -0.4]
    missing.sort(key=lambda o: -min(balance.debt(o[:2]), 1) - o[3])
    asked = 0
    for name, unit, entity, _ in missing[:2]:
        if totals["unanswerable"] + asked < (totals["answerable"] + len(rows)) / 3:
            row = ask(passage, name, unit, None, entity, None, balance, rng)
            rows += [row] if row else []
            asked += bool(row)
    return rows


def generate(count, seed=0):
    """Return count rows; the same seed gives the same list."""
    rng = random.Random(seed)
    menu = make_menu()
    balance, totals, rows, seen = Balance(), Counter(), [], set()
    while len(rows) < count:
        passage = make_passage(menu, balance, rng)
        if passage is None:
            continue
        for row in rows_of(passage, balance, totals, rng):
            key = row["messages"][0]["content"].lower()
            if key not in seen and len(rows) < count:
                seen.add(key)
                rows.append(row)
                totals[row["label"]] += 1
    rng.shuffle(rows)
    return rows


if __name__ == "__main__":
    for item in generate(int(sys.argv[1]) if len(sys.argv) > 1 else 10):
        print(json.dumps(item))
