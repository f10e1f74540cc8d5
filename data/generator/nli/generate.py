"""Seeded generator of policy/claim items: entailment, contradiction or neutral, computed from a structured policy.

A kind of rule (fragments.json, "kinds") belongs to a logic family. A family has three functions: one draws a claim,
one proposes a rule, one tells what the rule makes of the claim (or that it leaves it open). Claims are always drawn
BEFORE the rule and from the same distribution for every label; then rules are proposed until the wanted labels come
out. So the claim alone cannot tell its label.
"""
import json
import random
import re
import sys
from pathlib import Path

FRAGMENTS = json.loads((Path(__file__).parent / "fragments.json").read_text())
KINDS, POOLS, COMMON = FRAGMENTS["kinds"], FRAGMENTS["pools"], FRAGMENTS["common"]
GROUPS = POOLS["groups"]
ITEM_GROUP = {item: name for name, group in GROUPS.items() for item in group["items"]}
TOPICS = sorted({kind["topic"] for kind in KINDS.values()})
LOWERABLE, NAMES = set(POOLS["lowerable"].split()), {name for name, _ in POOLS["names"]}
LABELS = ["entailment", "contradiction", "neutral"]
MAX_POLICY, MAX_CLAIM, MAX_REASON = 48, 22, 16  # words
MISSING_SHARE = 0.3  # of the neutral claims, about a rule that the policy lacks altogether
BRACKET = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{(\w+)\}")
ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty").split()
MONTHS = ("January February March April May June July August September October November December").split()
MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
WEEK = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
ORDINALS = ("zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
            "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth").split()
LEVELS = ["Bronze", "Silver", "Gold", "Platinum"]


# ---------------------------------------------------------------- wording

def render(template, values, rng, caps=True):
    """Choose one branch of every [a|b] bracket, fill the {slots} and put capitals after full stops."""
    for _ in range(3):  # slot values may hold slots themselves
        template = SLOT.sub(lambda m: str(values[m[1]]), template)
    while BRACKET.search(template):
        template = BRACKET.sub(lambda m: rng.choice(m[1].split("|")), template, count=1)
    template = re.sub(r" +", " ", template).strip()
    return re.sub(r"(^|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), template) if caps else template


def number(value):
    """Print a number; fractions get two decimals."""
    return f"{value:.2f}" if isinstance(value, float) and value != int(value) else str(int(value))


def show(value, fmt, ctx):
    """Print a value of a kind's attribute in the style of the triple."""
    if fmt == "money":
        return number(value) + (ctx["cur"][:-1] if value == 1 and ctx["cur"] else ctx["cur"])
    if fmt == "date":
        return date_text(value, ctx)
    if fmt == "time":
        return time_text(value, ctx)
    return number(value)


def date_text(day, ctx):
    """Day of the year (from 0) as a date."""
    month = 0
    while day >= MONTH_DAYS[month]:
        day -= MONTH_DAYS[month]
        month += 1
    return f"{MONTHS[month]} {day + 1}" if ctx["us_date"] else f"{day + 1} {MONTHS[month]}"


def time_text(half_hours, ctx):
    """Half hours since midnight as a time of day."""
    hour, minute = half_hours // 2, 30 * (half_hours % 2)
    if ctx["clock24"]:
        return f"{hour}:{minute:02d}"
    return f"{(hour - 1) % 12 + 1}{':30' if minute else ''} {'am' if hour < 12 else 'pm'}"


def with_article(phrase):
    """Put a or an before a noun phrase."""
    return ("an " if phrase[0] in "aeio" or phrase.startswith(("um", "un")) and not phrase.startswith("uni") else "a ") + phrase


def plural(item):
    """Plural of an item name."""
    if item in POOLS["plurals"]:
        return POOLS["plurals"][item]
    if item.endswith(("s", "sh", "ch", "x")):
        return item + "es"
    return item[:-1] + "ies" if item[-1] == "y" and item[-2] not in "aeo" else item + "s"


def join(words, rng, last="and"):
    """a, b and c."""
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" {last} " + words[-1]


def person(rng):
    """Slot values for a named or described person."""
    if rng.random() < 0.82:
        name, sex = rng.choice(POOLS["names"])
    else:
        name, sex = rng.choice(POOLS["people"])
        sex = sex or rng.choice(["she", "he"])
    forms = {"she": ("she", "her", "her"), "he": ("he", "his", "him")}[sex]
    return {"who": name, "whos": name + ("'" if name.endswith("s") else "'s"),
            "he": forms[0], "his": forms[1], "him": forms[2]}


def item_values(item, rng):
    """Slot values for an article of the shop."""
    looks = rng.choice(POOLS["looks"]) + " " + item if rng.random() < 0.25 else item
    return {"item": looks, "aitem": with_article(looks), "items": plural(item)}


def small_words(value, rng):
    """A small whole number in words or digits."""
    return ONES[value] if isinstance(value, int) and value <= 12 and rng.random() < 0.6 else number(value)


# ---------------------------------------------------------------- context and scope

def make_context(rng):
    """Things shared by the policy and its three claims: style of numbers and the article in focus."""
    group = rng.choice(sorted(GROUPS))
    return {"cur": rng.choice(POOLS["currencies"]), "us_date": rng.random() < 0.3, "clock24": rng.random() < 0.6,
            "group": group, "item": rng.choice(GROUPS[group]["items"])}


def allowed_groups(kind):
    """Groups of goods that make sense for a kind."""
    return kind.get("groups") or sorted(GROUPS)


def pick_item(kind, ctx, rng):
    """The article of a claim: mostly the one in focus or one of its group."""
    groups = allowed_groups(kind)
    roll = rng.random()
    if ctx["group"] in groups and roll < 0.75:
        return ctx["item"] if roll < 0.45 else rng.choice(GROUPS[ctx["group"]]["items"])
    return rng.choice(GROUPS[rng.choice(groups)]["items"])


def draw_scope(kind, claims, rng):
    """Which goods a rule speaks of: a text and the set of articles (None means all)."""
    groups, noall = allowed_groups(kind), kind.get("noall", False)
    item = claims[0]["item"] if claims else rng.choice(GROUPS[rng.choice(groups)]["items"])
    roll = rng.random() if not noall else rng.uniform(0.2, 1)
    if roll < 0.2:
        return rng.choice(POOLS["all_goods"]), None
    group = ITEM_GROUP[item] if roll < 0.6 else rng.choice(groups)
    if roll > 0.85 or 0.52 < roll < 0.6:
        others = [g for g in groups if g != group]
        pair = [group, rng.choice(others)] if others else [group]
        rng.shuffle(pair)
        return join([group_name(g, rng) for g in pair], rng), {i for g in pair for i in GROUPS[g]["items"]}
    if 0.44 < roll < 0.52 or 0.78 < roll < 0.85:
        first = item if roll < 0.6 else rng.choice(GROUPS[group]["items"])
        two = {first, rng.choice(GROUPS[group]["items"])}
        return join([plural(i) for i in sorted(two, key=lambda _: rng.random())], rng), two
    return group_name(group, rng), set(GROUPS[group]["items"])


def group_name(group, rng):
    """A name of a group of goods."""
    return rng.choice(GROUPS[group]["names"])


# ---------------------------------------------------------------- families: num

OPS = {"le": lambda x, t: x <= t, "lt": lambda x, t: x < t, "ge": lambda x, t: x >= t, "gt": lambda x, t: x > t}


def spread(spec):
    """A list of numbers, or [start, stop, step] under "range"."""
    return list(range(*spec["range"])) if isinstance(spec, dict) else spec


def near(pool, x, rng):
    """A nice number from a pool, not too far from x, now and then x itself."""
    if x in pool and rng.random() < 0.12:
        return x
    close = [t for t in pool if x / 2.6 <= t <= x * 2.6]
    return rng.choice(close or pool)


def yes_no(kind, frames, rng):
    """Draw a [yes, no] pair of claim wordings and one side of it."""
    side = rng.random() < 0.5
    return {"o": side, "neg": False, "text": rng.choice(frames)[0 if side else 1]}


def num_claim(kind, ctx, rng):
    """A case with a number, and what is claimed about it."""
    claim = yes_no(kind, kind["claims"], rng)
    x = claim["x"] = rng.choice(spread(kind["x"]))
    ordinal = ORDINALS[x] if isinstance(x, int) and x < 21 else f"{x}"
    claim["vals"] = {"x": show(x, kind.get("fmt"), ctx), "xw": small_words(x, rng), "xth": ordinal}
    if kind.get("derive") == "months":
        start = rng.randrange(12)
        year = ["of the same year", "of the year after", "two years later"][(start + x) // 12]
        claim["vals"].update(m1=MONTHS[start], m2=f"{MONTHS[(start + x) % 12]} {year}")
    return claim


def num_rule(kind, claims, ctx, rng):
    """A limit."""
    op = rng.choice(sorted(kind["rule"]))
    x = rng.choice(claims)["x"] if claims else rng.choice(spread(kind["x"]))
    t = near(kind["T"], x, rng)
    return {"op": op, "T": t, "text": rng.choice(kind["rule"][op]),
            "vals": {"T": show(t, kind.get("fmt"), ctx), "Tw": small_words(t, rng)}}


def num_truth(kind, rule, claim):
    """Compare the number of the case with the limit."""
    x, t = claim["x"], rule["T"]
    if kind.get("noedge") and x == t:
        return None, "bad"
    rel = "less" if x < t else "more" if x > t else "same"
    claim["rel"] = COMMON["rel"][rel]
    truth = OPS[rule["op"]](x, t)
    return truth, ("yes" if truth else "no") + ("_edge" if x == t else "")


# ---------------------------------------------------------------- families: tiers and map

def outcomes(kind, ctx):
    """Outcome value -> wordings; number outcomes are made from one pattern."""
    if "outs" in kind:
        return kind["outs"]
    result = {}
    for value in kind["fees"]:
        pattern = kind["zero"] if value == 0 and "zero" in kind else kind["fee"]
        shown = show(value, kind.get("feefmt", "money"), ctx)
        result[value] = {key: [t.replace("{f}", shown) for t in pattern[key]] for key in ("r", "say", "not")}
    return result


def outcome_claim(kind, value, ctx, rng):
    """Claim that the outcome is, or is not, a value."""
    neg = rng.random() < 0.35
    words = outcomes(kind, ctx)[value]
    return {"o": value, "neg": neg, "text": rng.choice(kind["claims"]),
            "vals": {"say": rng.choice(words["not" if neg else "say"])}}


def values_of(kind, ctx):
    """All outcome values in a fixed order."""
    return list(outcomes(kind, ctx))


def tiers_claim(kind, ctx, rng):
    """A case with a number, and the outcome claimed."""
    claim = outcome_claim(kind, rng.choice(values_of(kind, ctx)), ctx, rng)
    claim["x"] = rng.choice(spread(kind["x"]))
    claim["vals"].update(x=show(claim["x"], kind.get("fmt"), ctx), xw=small_words(claim["x"], rng))
    return claim


def pick_values(kind, claims, size, ctx, rng):
    """Distinct outcome values for a rule; those spoken of in the claims come often."""
    pool = values_of(kind, ctx)
    chosen = [c["o"] for c in claims if rng.random() < 0.75]
    chosen = list(dict.fromkeys(chosen))[:size]
    rest = [v for v in pool if v not in chosen]
    chosen += rng.sample(rest, size - len(chosen))
    rng.shuffle(chosen)
    return chosen


def tiers_rule(kind, claims, ctx, rng):
    """Two or three spans with their outcomes, or two spans with a gap between them."""
    form = rng.choice(sorted(kind["rule"]))
    size = 3 if form == "3" else 2
    values = pick_values(kind, claims, size, ctx, rng)
    if kind.get("order"):
        rank = values_of(kind, ctx)
        values.sort(key=rank.index, reverse=kind["order"] == "down")
    x = rng.choice(claims)["x"] if claims else rng.choice(spread(kind["x"]))
    cuts = sorted({near(kind["cuts"], x, rng) for _ in range(1 if form == "2" else 2)})
    if len(cuts) < (1 if form == "2" else 2):
        return None
    words = outcomes(kind, ctx)
    vals = {f"o{i + 1}": rng.choice(words[v]["r"]) for i, v in enumerate(values)}
    for name, cut in zip("ab", cuts):
        vals[name] = show(cut, kind.get("fmt"), ctx)
        vals[name + "1"] = show(cut + 1, kind.get("fmt"), ctx)
        vals[name + "0"] = show(cut - 1, kind.get("fmt"), ctx)
    return {"form": form, "cuts": cuts, "values": values, "text": rng.choice(kind["rule"][form]), "vals": vals}


def tiers_truth(kind, rule, claim):
    """Find the span of the case."""
    if kind["edge"] == "le":  # a span includes its upper end
        index = sum(claim["x"] > cut for cut in rule["cuts"])
    else:
        index = sum(claim["x"] >= cut for cut in rule["cuts"])
    if rule["form"] == "gap":
        if index == 1:
            return None, "gap"
        index = index // 2
    claim["true"] = rule["vals"][f"o{index + 1}"]
    return rule["values"][index], "fit"


def map_claim(kind, ctx, rng):
    """A case of one sort, and the outcome claimed."""
    claim = outcome_claim(kind, rng.choice(values_of(kind, ctx)), ctx, rng)
    claim["key"] = rng.choice(sorted(kind["keys"]))
    claim["vals"]["k"] = rng.choice(kind["keys"][claim["key"]]["c"])
    return claim


def map_rule(kind, claims, ctx, rng):
    """Two or three sorts with their outcomes, or one sort and the rest."""
    form = rng.choice(sorted(kind["rule"]))
    size = 3 if form == "3" else 2
    values = pick_values(kind, claims, size, ctx, rng)
    keys = [c["key"] for c in claims if rng.random() < 0.6]
    keys = list(dict.fromkeys(keys))[:size]
    keys += rng.sample([k for k in sorted(kind["keys"]) if k not in keys], size - len(keys))
    rng.shuffle(keys)
    words = outcomes(kind, ctx)
    vals = {f"o{i + 1}": rng.choice(words[v]["r"]) for i, v in enumerate(values)}
    vals.update({f"k{i + 1}": rng.choice(kind["keys"][k]["r"]) for i, k in enumerate(keys)})
    return {"form": form, "keys": keys, "values": values, "text": rng.choice(kind["rule"][form]), "vals": vals}


def map_truth(kind, rule, claim):
    """Look the sort of the case up."""
    if rule["form"] == "rest":
        index = 0 if claim["key"] == rule["keys"][0] else 1
    elif claim["key"] in rule["keys"]:
        index = rule["keys"].index(claim["key"])
    else:
        return None, "key"
    claim["true"] = rule["vals"][f"o{index + 1}"]
    return rule["values"][index], "rest" if rule["form"] == "rest" and index else "fit"


# ---------------------------------------------------------------- families: list, unless, andor, modal

def list_claim(kind, ctx, rng):
    """One thing, and whether it is allowed."""
    claim = yes_no(kind, kind["claims"], rng)
    claim["key"] = rng.choice(sorted(kind["keys"]))
    claim["vals"] = {"k": rng.choice(kind["keys"][claim["key"]]["c"])}
    return claim


def list_rule(kind, claims, ctx, rng):
    """A closed list, a list of exclusions, two lists, or an open list."""
    form = rng.choice(sorted(kind["rule"]))
    keys = sorted(kind["keys"])
    rng.shuffle(keys)
    for claim in claims:  # speak of the claimed thing more often than chance would
        if rng.random() < 0.4:
            keys.remove(claim["key"])
            keys.insert(0, claim["key"])
    size = rng.choice([2, 2, 3])
    first, second = keys[:size], keys[size:size + 2]
    if rng.random() < 0.5:
        first, second = (second, first) if form == "both" else (first, second)
    names = [[rng.choice(kind["keys"][k]["r"]) for k in sorted(part, key=lambda _: rng.random())] for part in (first, second)]
    vals = {"L": join(names[0], rng), "M": join(names[1], rng), "Lor": join(names[0], rng, "or"), "Mor": join(names[1], rng, "or")}
    return {"form": form, "first": first, "second": second, "text": rng.choice(kind["rule"][form]), "vals": vals}


def list_truth(kind, rule, claim):
    """Is the thing in a list, and what follows?"""
    form, listed = rule["form"], claim["key"] in rule["first"]
    if form == "only":
        return listed, "in" if listed else "out"
    if form == "allbut":
        return not listed, "barred" if listed else "unbarred"
    if form == "both" and claim["key"] in rule["second"]:
        return False, "barred"
    if form == "none":
        return (False, "barred") if listed else (None, "key")
    return (True, "in") if listed else (None, "key")


def unless_claim(kind, ctx, rng):
    """A case where the special condition holds, fails, or is not told."""
    state = rng.choice(["1", "0", "1", "0", "u"])
    claim = yes_no(kind, kind["claims"][state], rng)
    claim.update(state=state, vals={})
    return claim


def unless_rule(kind, claims, ctx, rng):
    """A rule with or without an exception."""
    form = rng.choice(sorted(kind["rule"]))
    return {"form": form, "text": rng.choice(kind["rule"][form]), "vals": {}}


UNLESS = {  # form: what follows when the condition holds / fails / is not told
    "yes_unless": (False, True, None), "no_unless": (True, False, None), "always": (True, True, True),
    "never": (False, False, False), "case1": (None, True, None), "case0": (False, None, None)}


def unless_truth(kind, rule, claim):
    """Apply the rule to the state of the condition."""
    column = {"1": 0, "0": 1, "u": 2}[claim["state"]]
    truth = UNLESS[rule["form"]][column]
    if rule["form"] in ("always", "never"):
        return truth, rule["form"]
    if truth is None:
        return None, "miss" if claim["state"] == "u" else "case"
    return truth, "on" if claim["state"] == "1" else "off"


def andor_claim(kind, ctx, rng):
    """A case that meets one condition and fails another; a third is not told."""
    claim = yes_no(kind, kind["claims"], rng)
    has, lacks = rng.sample(sorted(kind["conds"]), 2)
    claim.update(has=has, lacks=lacks)
    claim["vals"] = {"has": rng.choice(kind["conds"][has]["has"]), "lacks": rng.choice(kind["conds"][lacks]["lacks"])}
    return claim


def andor_rule(kind, claims, ctx, rng):
    """Two conditions joined by and / or, or one condition alone."""
    form = rng.choice(sorted(kind["rule"]))
    first, second = rng.sample(sorted(kind["conds"]), 2)
    vals = {"A": rng.choice(kind["conds"][first]["r"]), "B": rng.choice(kind["conds"][second]["r"])}
    return {"form": form, "conds": [first, second], "text": rng.choice(kind["rule"][form]), "vals": vals}


def andor_truth(kind, rule, claim):
    """Three-valued logic over the two conditions of the rule."""
    known = {claim["has"]: True, claim["lacks"]: False}
    states = [known.get(c) for c in (rule["conds"][:1] if rule["form"] == "one" else rule["conds"])]
    if rule["form"] == "or":
        truth = True if True in states else None if None in states else False
    else:
        truth = False if False in states else None if None in states else True
    unknown = [c for c in rule["conds"] if c not in known]
    claim["extra"] = {name: kind["conds"][c]["r"][0] for name, c in (("hasn", claim["has"]), ("lackn", claim["lacks"]))}
    if truth is None:
        claim["extra"]["unk"] = kind["conds"][unknown[0]]["r"][0]
        return None, "miss"
    return truth, {"one": "one", "and": "and", "or": "or"}[rule["form"]] + ("_yes" if truth else "_no")


def modal_claim(kind, ctx, rng):
    """Something happens or does not."""
    return {**yes_no(kind, kind["claims"], rng), "vals": {}}


def modal_rule(kind, claims, ctx, rng):
    """Must, never or may."""
    form = rng.choice(["must", "never", "may"])
    return {"form": form, "text": rng.choice(kind["rule"][form]), "vals": {}}


def modal_truth(kind, rule, claim):
    """What may be done is left open."""
    return {"must": True, "never": False, "may": None}[rule["form"]], rule["form"]


# ---------------------------------------------------------------- families: steps, hours, window, clock, nth, cutoff

def steps_claim(kind, ctx, rng):
    """One step is said to come before or after another."""
    claim = yes_no(kind, kind["claims"], rng)
    p, q = rng.sample(sorted(kind["steps"]), 2)
    claim.update(p=p, q=q)
    claim["vals"] = {n + form: rng.choice(kind["steps"][s][form]) for n, s in (("p", p), ("q", q)) for form in ("b", "g", "n")}
    return claim


def steps_rule(kind, claims, ctx, rng):
    """Three steps in an order."""
    order = rng.sample(sorted(kind["steps"]), 3)
    form = rng.choice(["b", "g"])
    vals = {f"s{i + 1}": rng.choice(kind["steps"][s][form]) for i, s in enumerate(order)}
    return {"order": order, "text": rng.choice(kind["rule"][form]), "vals": vals}


def steps_truth(kind, rule, claim):
    """Compare the places of the two steps."""
    order, p, q = rule["order"], claim["p"], claim["q"]
    if p not in order or q not in order:
        claim["extra"] = {"unk": claim["vals"]["pg" if p not in order else "qg"]}
        return None, "key"
    truth = order.index(p) < order.index(q)
    return truth, "yes" if truth else "no"


def hours_claim(kind, ctx, rng):
    """Somebody comes to a desk on a day at a time and finds it open or closed."""
    claim = yes_no(kind, kind["claims"], rng)
    day = rng.choice(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Saturday", "Sunday"])
    time = rng.randrange(16, 42)
    key = rng.choice(kind["desks"])
    claim.update(day=day, time=time, key=key, vals={"day": day, "t": time_text(time, ctx), "desk": key})
    return claim


def hours_rule(kind, claims, ctx, rng):
    """Opening hours of one desk."""
    form = rng.choice(sorted(kind["rule"]))
    desk = claims[0]["key"] if claims and rng.random() < 0.7 else rng.choice(kind["desks"])
    times = [rng.randrange(14, 28), rng.randrange(28, 44), rng.randrange(14, 28), rng.randrange(26, 40)]
    if claims and rng.random() < 0.5:  # an edge close to the claimed time makes a harder item
        times[rng.randrange(4)] = claims[0]["time"] + rng.choice([-2, -1, 1, 2])
    shut = rng.choice(WEEK)
    if times[1] - times[0] < 6 or times[3] - times[2] < 4:
        return None
    vals = {n: time_text(t, ctx) for n, t in zip("abcd", times)}
    return {"form": form, "desk": desk, "times": times, "shut": shut, "text": rng.choice(kind["rule"][form]),
            "vals": {**vals, "desk": desk, "shut": shut + "s", "D": desk}}


def hours_truth(kind, rule, claim):
    """Is the desk open then? Exact opening and closing times are avoided."""
    if rule["desk"] != claim["key"]:
        return None, "key"
    a, b, c, d = rule["times"]
    day, time, form = WEEK.index(claim["day"]), claim["time"], rule["form"]
    span = (a, b)
    if form == "wk_sat":
        span = (a, b) if day < 5 else (c, d) if day == 5 else None
    elif form == "wk_end":
        span = (a, b) if day < 5 else (c, d)
    elif form == "wk":
        if day >= 5:
            return None, "day"
    elif form == "but":
        span = None if claim["day"] == rule["shut"] else (a, b)
    if span is None:
        return False, "shut"
    if time in span:
        return None, "bad"
    return span[0] < time < span[1], "in" if span[0] < time < span[1] else "early" if time < span[0] else "late"


def window_claim(kind, ctx, rng):
    """Something is done on a date during, before or after an offer."""
    claim = yes_no(kind, kind["claims"], rng)
    day, key = rng.randrange(20, 345), rng.choice(kind["events"])
    claim.update(day=day, key=key, vals={"date": date_text(day, ctx), "event": key})
    return claim


def window_rule(kind, claims, ctx, rng):
    """An offer with a first day, a last day, or both."""
    form = rng.choice(sorted(kind["rule"]))
    claim = rng.choice(claims) if claims else {"day": rng.randrange(30, 330), "key": rng.choice(kind["events"])}
    length, shift = rng.randrange(5, 40), rng.randrange(1, 20)
    start = claim["day"] + rng.choice([shift, -shift, -length - shift, -length + min(shift, length - 1)])
    if not 0 < start < start + length < 365:
        return None
    key = claim["key"] if rng.random() < 0.75 else rng.choice(kind["events"])
    vals = {"from": date_text(start, ctx), "to": date_text(start + length, ctx), "event": key}
    return {"form": form, "span": (start, start + length), "key": key, "text": rng.choice(kind["rule"][form]), "vals": vals}


def window_truth(kind, rule, claim):
    """Is the date inside the offer?"""
    (start, end), day = rule["span"], claim["day"]
    if rule["key"] != claim["key"]:
        return None, "key"
    if rule["form"] != "until" and day < start:
        return False, "early"
    if rule["form"] != "from" and day > end:
        return False, "late"
    if rule["form"] != "span" and day in (start, end):
        return None, "bad"  # on the one day that is given it is decided after all
    if rule["form"] == "from":
        return None, "noend"
    if rule["form"] == "until":
        return None, "nostart"
    return True, "in"


def clock_claim(kind, ctx, rng):
    """Two dates in the history of an order, given as days ago."""
    claim = yes_no(kind, kind["claims"], rng)
    b = rng.choice([6, 8, 9, 11, 12, 13, 16, 18, 19, 22, 24, 26, 27, 29, 33, 36, 41])
    a = b + rng.randrange(3, 13)
    claim.update(a=a, b=b, vals={"a": str(a), "b": str(b)})
    return claim


def clock_rule(kind, claims, ctx, rng):
    """A limit that runs from one of three events."""
    form = rng.choice(["order", "arrive", "other"])
    a, b = (claims[0]["a"], claims[0]["b"]) if claims else (20, 14)
    low, high = (b - 4, a + 6) if form == "other" else (b / 2, 2 * a)
    t = rng.choice([t for t in (5, 7, 10, 14, 15, 20, 21, 25, 28, 30, 35, 40, 45, 50) if low <= t <= high])
    return {"form": form, "T": t, "text": rng.choice(kind["rule"][form]), "vals": {"T": str(t)}}


def clock_truth(kind, rule, claim):
    """Count from the right event; a third event is not told in the claim."""
    if rule["form"] == "other":
        return None, "miss"
    days = claim["a"] if rule["form"] == "order" else claim["b"]
    if days == rule["T"]:
        return None, "bad"
    claim["extra"] = {"n": str(days), "rel": COMMON["rel"]["less" if days < rule["T"] else "more"]}
    return days < rule["T"], rule["form"] + ("_yes" if days < rule["T"] else "_no")


def nth_claim(kind, ctx, rng):
    """The k-th purchase is, or is not, free."""
    claim = yes_no(kind, kind["claims"], rng)
    claim["x"] = rng.choice([4, 5, 6, 8, 9, 10, 12, 14, 15, 16, 18, 20])
    claim["vals"] = {"xth": ORDINALS[claim["x"]], "x": str(claim["x"])}
    return claim


def nth_rule(kind, claims, ctx, rng):
    """Every n-th one counts; or two sorts of card with different n."""
    form = rng.choice(["one", "one", "one", "two"])
    n, m = rng.sample([3, 4, 5, 6, 7, 8, 9, 10, 12], 2)
    vals = {"nth": ORDINALS[n], "mth": ORDINALS[m], "n": str(n), "m": str(m)}
    return {"form": form, "n": n, "m": m, "text": rng.choice(kind["rule"][form]), "vals": vals}


def nth_truth(kind, rule, claim):
    """Is k a multiple of n?"""
    hit = claim["x"] % rule["n"] == 0
    if rule["form"] == "two":
        if hit == (claim["x"] % rule["m"] == 0):
            return None, "bad"  # both cards agree; too clever a puzzle
        return None, "two"
    return hit, "yes" if hit else "no"


def cutoff_claim(kind, ctx, rng):
    """An order placed on a day at a time, and the day it leaves."""
    day, time = rng.randrange(5), rng.randrange(16, 42)
    o, neg = rng.choice(["same", "next"]), rng.random() < 0.35
    leave = WEEK[day] if o == "same" else WEEK[(day + 1) % 5]
    vals = {"day": WEEK[day], "t": time_text(time, ctx), "leave": leave}
    return {"o": o, "neg": neg, "time": time, "vals": vals, "text": rng.choice(kind["claims"]["neg" if neg else "pos"])}


def cutoff_rule(kind, claims, ctx, rng):
    """The hour up to which orders leave on the same day."""
    form = rng.choice(["full", "full", "early", "late"])
    hour = rng.randrange(20, 38)
    return {"form": form, "hour": hour, "text": rng.choice(kind["rule"][form]), "vals": {"h": time_text(hour, ctx)}}


def cutoff_truth(kind, rule, claim):
    """Same day before the hour, next working day after it; half rules leave one side open."""
    if claim["time"] == rule["hour"]:
        return None, "bad"
    before = claim["time"] < rule["hour"]
    if (rule["form"], before) in (("early", False), ("late", True)):
        return None, "after" if not before else "before"
    return ("same", "same") if before else ("next", "next")


# ---------------------------------------------------------------- families: calc, override, level

FORMULAS = {  # inputs x (and a for claims with two numbers), rule number r (and s)
    "rate": lambda x, r, s: x * r, "minus": lambda x, r, s: x - r, "percent": lambda x, r, s: x * r / 100,
    "off": lambda x, r, s: x - x * r / 100, "least": lambda x, r, s: max(x * r / 100, s),
    "most": lambda x, r, s: min(x * r / 100, s), "base": lambda x, r, s: s + x * r,
    "bundle": lambda x, r, s: x - x // r}


def calc_claim(kind, ctx, rng):
    """A case with a number and the sum it comes to."""
    neg = rng.random() < 0.35
    for _ in range(200):
        x, r = rng.choice(spread(kind["x"])), rng.choice(kind["r"])
        y = FORMULAS[kind["formula"]](x, r, rng.choice(kind.get("s", [0])))
        if y > 0 and abs(y - round(y)) < 1e-9 and round(y) != x:
            break
    y = round(y)
    vals = {"x": show(x, kind.get("fmt"), ctx), "y": show(y, kind.get("yfmt"), ctx), "xw": small_words(x, rng), "yw": small_words(y, rng)}
    return {"o": y, "neg": neg, "x": x, "vals": vals, "text": rng.choice(kind["claims"]["neg" if neg else "pos"])}


def calc_rule(kind, claims, ctx, rng):
    """A rate, fee or share; or two rates for two sorts of customers."""
    form = rng.choice(sorted(kind["rule"]))
    r, r2 = rng.sample(kind["r"], 2)
    s = rng.choice(kind.get("s", [0]))
    vals = {"r": show(r, kind.get("rfmt"), ctx), "r2": show(r2, kind.get("rfmt"), ctx), "base": show(s, kind.get("sfmt"), ctx),
            "rw": small_words(r, rng), "r2w": small_words(r2, rng), "rless": ONES[r - 1] if isinstance(r, int) and 0 < r < 21 else ""}
    return {"form": form, "r": r, "r2": r2, "s": s, "text": rng.choice(kind["rule"][form]), "vals": vals}


def calc_truth(kind, rule, claim):
    """Work the sum out."""
    y = FORMULAS[kind["formula"]](claim["x"], rule["r"], rule["s"])
    if rule["form"] == "split":  # open only if the claimed sum is right for one of the two rates
        y2 = FORMULAS[kind["formula"]](claim["x"], rule["r2"], rule["s"])
        return None, "miss" if y != y2 and claim["o"] in (y, y2) else "bad"
    if abs(y - round(y)) > 1e-9 or y <= 0:
        return None, "bad"
    claim["y"] = round(y)
    return round(y), "fit"


def override_claim(kind, ctx, rng):
    """An article and a number."""
    return num_claim(kind, ctx, rng)


def override_rule(kind, claims, ctx, rng):
    """A general limit and another for one group; or limits for two groups only."""
    form = rng.choice(sorted(kind["rule"]))
    x = rng.choice(claims)["x"] if claims else rng.choice(spread(kind["x"]))
    t, t2 = near(kind["T"], x, rng), near(kind["T"], x, rng)
    groups = allowed_groups(kind)
    g = ITEM_GROUP[claims[0]["item"]] if claims and rng.random() < 0.4 else rng.choice(groups)
    g2 = rng.choice([o for o in groups if o != g])
    if t == t2:
        return None
    vals = {"T": str(t), "T2": str(t2), "G": rng.choice(GROUPS[g]["names"]), "G2": rng.choice(GROUPS[g2]["names"])}
    return {"form": form, "T": t, "T2": t2, "g": g, "g2": g2, "text": rng.choice(kind["rule"][form]), "vals": vals}


def override_truth(kind, rule, claim):
    """The special limit goes before the general one."""
    group = ITEM_GROUP[claim["item"]]
    if rule["form"] == "two" and group not in (rule["g"], rule["g2"]):
        return None, "key"
    limit = rule["T"] if group == rule["g"] else rule["T2"]
    if claim["x"] == limit and kind.get("noedge"):
        return None, "bad"
    claim["extra"] = {"lim": str(limit), "rel": COMMON["rel"]["less" if claim["x"] < limit else "more" if claim["x"] > limit else "same"]}
    truth = claim["x"] <= limit
    side = "special" if group == rule["g"] or rule["form"] == "two" else "general"
    return truth, side + ("_yes" if truth else "_no")


def level_claim(kind, ctx, rng):
    """A member of some level gets, or does not get, a benefit."""
    claim = yes_no(kind, kind["claims"], rng)
    claim["key"] = rng.choice(LEVELS)
    claim["vals"] = {"k": claim["key"]}
    return claim


def level_rule(kind, claims, ctx, rng):
    """From a level upwards, up to a level, or certain for one level only."""
    form = rng.choice(sorted(kind["rule"]))
    level = rng.choice(LEVELS)
    if (form, level) in (("up", "Bronze"), ("down", "Platinum")):
        return None
    return {"form": form, "level": level, "text": rng.choice(kind["rule"][form]), "vals": {"k": level}}


def level_truth(kind, rule, claim):
    """Compare the levels: Bronze, Silver, Gold, Platinum."""
    mine, line = LEVELS.index(claim["key"]), LEVELS.index(rule["level"])
    if rule["form"] == "some":
        return (True, "some") if mine == line else (None, "key")
    truth = mine >= line if rule["form"] == "up" else mine <= line
    claim["extra"] = {"where": "below" if mine < line else "above" if mine > line else "exactly"}
    return truth, rule["form"] + ("_yes" if truth else "_no")


FAMILIES = {name: tuple(globals()[f"{name}_{part}"] for part in ("claim", "rule", "truth"))
            for name in ("num tiers map list unless andor modal steps hours window clock nth cutoff calc override level").split()}


# ---------------------------------------------------------------- policies

def draw_claim(kind_id, ctx, rng):
    """A claim about one kind of rule; the label plays no part here."""
    kind = KINDS[kind_id]
    item = pick_item(kind, ctx, rng)
    claim = FAMILIES[kind["family"]][0](kind, ctx, rng)
    claim.update(kind=kind_id, item=item)
    if "sorts" in kind:
        claim["sort"] = rng.choice(sorted(kind["sorts"]))
        claim["vals"]["s"] = rng.choice(kind["sorts"][claim["sort"]]["c"])
    claim["vals"] = {**person(rng), **item_values(item, rng), **claim["vals"]}
    return claim


def draw_rule(kind_id, claims, ctx, rng):
    """Propose one rule of a kind."""
    kind = KINDS[kind_id]
    rule = FAMILIES[kind["family"]][1](kind, claims, ctx, rng)
    if rule is None:
        return None
    rule.update(kind=kind_id, covers=None)
    rule["vals"]["one"] = ctx["cur"].strip()[:-1] or "unit of money"
    if kind.get("scoped"):
        scope, rule["covers"] = draw_scope(kind, claims, rng)
        rule["vals"] = {"G": scope, **rule["vals"]}
    if "sorts" in kind:
        sort = rng.choice(claims)["sort"] if claims and rng.random() < 0.5 else rng.choice(sorted(kind["sorts"]))
        rule["sort"] = sort
        rule["vals"] = {"S": rng.choice(kind["sorts"][sort]["r"]), **rule["vals"]}
    return rule


def judge(rule, claim):
    """Label of a claim under one rule of its own kind, and the key of the reason."""
    claim.pop("extra", None)
    if rule["covers"] is not None and claim["item"] not in rule["covers"]:
        return "neutral", "scope"
    if rule.get("sort") != claim.get("sort"):
        return "neutral", "sort"
    kind = KINDS[rule["kind"]]
    truth, key = FAMILIES[kind["family"]][2](kind, rule, claim)
    if key == "bad":
        return "bad", key
    if truth is None:
        return "neutral", key
    return ("entailment" if (truth == claim["o"]) != claim["neg"] else "contradiction"), key


def fit_rule(kind_id, wanted, ctx, rng):
    """Draw claims, then a rule under which they get the wanted labels."""
    for _ in range(12):
        claims = [draw_claim(kind_id, ctx, rng) for _ in wanted]
        for _ in range(60):
            rule = draw_rule(kind_id, claims, ctx, rng)
            if rule and all(judge(rule, c)[0] == label for c, label in zip(claims, wanted)):
                return rule, claims
    return None, None


def choose_kinds(rng):
    """Kinds of the policy's rules and of one rule that it lacks, all of one topic and of different aspects."""
    topic = rng.choice(TOPIC_WHEEL)
    pool = [k for k in KINDS if KINDS[k]["topic"] == topic]
    rng.shuffle(pool)
    chosen, seen = [], set()
    for kind_id in pool:
        if KINDS[kind_id]["aspect"] not in seen:
            seen.add(KINDS[kind_id]["aspect"])
            chosen.append(kind_id)
    size = rng.choice([1, 2, 2, 2, 3, 3])
    return chosen[:size], chosen[size]


TOPIC_WHEEL = [kind["topic"] for kind in KINDS.values()]  # topics with more kinds come more often


ONE_SIDED = ("modal", "clock")


def plan(rng):
    """Say which kind each of the three claims is about; the neutral one may be about a missing kind."""
    kinds, missing = choose_kinds(rng)
    targets = {label: rng.choice(kinds) for label in LABELS}
    if len(kinds) > 1 and rng.random() < 0.6:
        targets["entailment"], targets["contradiction"] = rng.sample(kinds, 2)
    if rng.random() < MISSING_SHARE:
        targets["neutral"] = missing
    used = {targets["entailment"], targets["contradiction"]}
    if targets["neutral"] in used and KINDS[targets["neutral"]]["family"] in ONE_SIDED:
        free = [k for k in kinds if k not in used]  # such a rule cannot decide one claim and leave another open
        targets["neutral"] = free[0] if free else missing
        if len(kinds) > 1 and not free:
            targets["neutral"], other = kinds
            targets["entailment"] = targets["contradiction"] = other
    return kinds, targets


def build(rng):
    """One policy with three judged claims, or None where the draw does not work out."""
    ctx = make_context(rng)
    kinds, targets = plan(rng)
    rules, claims = [], {}
    for kind_id in kinds:
        labels = [label for label in LABELS if targets[label] == kind_id]
        rule, found = fit_rule(kind_id, labels, ctx, rng)
        if rule is None:
            return None
        rules.append(rule)
        claims.update(zip(labels, found))
    for label in LABELS:
        if label not in claims:
            claims[label] = draw_claim(targets[label], ctx, rng)
            claims[label]["why"] = "open"
    rng.shuffle(rules)
    return ctx, rules, claims


def reason(rule, claim, ctx, rng):
    """The short reason: the deciding fact, or what the policy leaves open."""
    kind = KINDS[claim["kind"]]
    values = {**claim["vals"]}
    if rule is None:
        key = "open"
    else:
        key = judge(rule, claim)[1]
        values = {**rule["vals"], **values, **claim.get("extra", {})}
        values.update({n: claim[n] for n in ("true", "rel") if n in claim})
        if "y" in claim:
            values["truth"] = show(claim["y"], kind.get("yfmt"), ctx)
    values["open"] = render(rng.choice(kind["open"]), values, rng, caps=False)
    choices = kind["why"].get(key) or COMMON["why"][key]
    return render(rng.choice(choices), values, rng)


def claim_text(claim, rng):
    """The claim in words, now and then with a few words before it."""
    text = render(claim["text"], claim["vals"], rng)
    first = text.split()[0]
    if rng.random() > 0.12 or ":" in text or not (first.lower() in LOWERABLE or first.removesuffix("'s") in NAMES):
        return text
    return rng.choice(POOLS["leads"]) + " " + (text[0].lower() + text[1:] if first.lower() in LOWERABLE else text)


def shared(policy, claim):
    """Share of the claim's words (cut to stems) that the policy has too."""
    stems = [{w[:5] for w in re.findall(r"[a-z0-9]+", text.lower())} for text in (policy, claim)]
    return len(stems[0] & stems[1]) / len(stems[1])


def too_easy(policy, claims):
    """Does the neutral claim share far fewer words with the policy than the other two do?"""
    share = {label: shared(policy, claim) for label, claim in claims.items()}
    return share["neutral"] < min(share["entailment"], share["contradiction"]) - 0.05


def triple_rows(built, rng):
    """Turn a policy and its claims into three rows, or [] if something is too long."""
    ctx, rules, claims = built
    policy = " ".join(render(rule["text"], rule["vals"], rng) for rule in rules)
    if rng.random() < 0.08:
        policy = rng.choice(POOLS["openers"]) + " " + policy
    small = rng.random() < 0.05  # some shops write everything in small letters
    if len(policy.split()) > MAX_POLICY or len(re.findall(r"[.!?](?= |$)", policy)) > 3:
        return []
    rows = []
    for label in LABELS:
        claim = claims[label]
        rule = next((r for r in rules if r["kind"] == claim["kind"]), None)
        text, why = claim_text(claim, rng), reason(rule, claim, ctx, rng)
        if len(text.split()) > MAX_CLAIM or len(why.split()) > MAX_REASON:
            return []
        shown = (policy.lower(), text.lower()) if small else (policy, text)
        rows.append({"messages": [{"role": "user", "content": "Policy: {}\nClaim: {}".format(*shown)},
                                  {"role": "assistant", "content": why}], "label": label})
    if too_easy(policy, {row["label"]: row["messages"][0]["content"].split("Claim: ")[1] for row in rows}) and rng.random() < 0.6:
        return []
    rng.shuffle(rows)
    return rows if len({r["messages"][0]["content"] for r in rows}) == 3 else []


def lopsided(claims, counts):
    """Would this triple add to a label that its kinds of rule have too often already?"""
    excess = [counts.get((c["kind"], label), 0) - min(counts.get((c["kind"], other), 0) for other in LABELS)
              for label, c in claims.items()]
    return sum(excess) > 3


def generate(count, seed=0):
    """Return count rows, three neighbouring ones for every policy."""
    rng = random.Random(seed)
    rows, seen, counts = [], set(), {}
    while len(rows) < count:
        built = build(rng)
        if built and lopsided(built[2], counts) and rng.random() < 0.85:
            continue
        new = triple_rows(built, rng) if built else []
        texts = {row["messages"][0]["content"] for row in new}
        if new and not texts & seen:
            seen |= texts
            rows.extend(new)
            for label, claim in built[2].items():
                counts[claim["kind"], label] = counts.get((claim["kind"], label), 0) + 1
    return rows[:count]


if __name__ == "__main__":
    for row in generate(int(sys.argv[1]) if len(sys.argv) > 1 else 12, int(sys.argv[2]) if len(sys.argv) > 2 else 0):
        print(json.dumps(row))
