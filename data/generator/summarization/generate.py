"""Seeded generator of support tickets with a faithful one-sentence summary.

Every ticket is played out as a small story: a kind of trouble, an opening, an
offer or two, a choice, and sometimes a correction or a change of mind. Values
(order, day, amount ...) live in dictionaries that a correction overwrites, so
the summary, which is written last, can only see the final ones.
"""
import json
import random
import re
import sys
from pathlib import Path

F = json.loads((Path(__file__).parent / "fragments.json").read_text())
POOLS, RES, KINDS, CHAT = F["pools"], F["resolutions"], F["kinds"], F["chat"]
ALT = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{(\w+)\}")
TAGS = {"f": "formal", "t": "terse", "a": "angry", "p": "pensioner", "n": "nonnative", "s": "student"}
PLAIN_VOICES = ["plain", "plain", "rambling", "formal", "pensioner", "terse"]
GRAMMAR = {"it_obj", "it", "It", "is", "was", "has", "s", "es_pl", "es", "pl_s", "goes", "this", "newone", "other_is"}
# Derived slots only repeat or rephrase another slot, so they are no facts of their own.
BASE = {"a_item": "item", "A_item": "item", "new_item": "item", "New_item": "item", "a_other": "other",
        "A_other": "other", "Damage": "damage", "Missing": "missing", "Colour2": "colour2"}
MONEY = {"amt", "cut", "fee", "paid"}
SMALL_WORDS = set("""the my your it i we would could may before what which please do so there this on in of for to after
    despite upon owing kindly if as one not from day according not have is are might regrettably still when who why
    how""".split())
LOW_PRIORITY = {"damage", "fault", "depot", "cause", "shop_cause", "misdeed", "event", "smell", "colour2", "size2", "other"}


class Reject(Exception):
    """Raised when a drawn story cannot be told cleanly; the caller draws again."""


def holds(text, value):
    """Tell whether value stands in text as whole words."""
    return re.search(r"(?<!\w)(?<!\d[.,-])" + re.escape(value) + r"(?![\w-]|[.,]\d)", text) is not None


def cap(text):
    """Put the first letter in upper case."""
    return text[:1].upper() + text[1:]


def article(noun, plural=0):
    """Put the right article before a noun."""
    if plural:
        return noun
    return ("an " if noun[0].lower() in "aeiou" and not noun.startswith("one") else "a ") + noun


class Case:
    """One ticket in the making: its values, its turns and what was superseded."""

    def __init__(self, rng, kind):
        """Draw the values of a ticket of the given kind."""
        self.rng, self.kind, self.spec = rng, kind, KINDS[kind]
        self.turns, self.superseded, self.noise_values, self.taken = [], [], [], set()
        self.corrected, self.switched, self.pushed, self.extra = None, False, False, None
        self.day_style = rng.choices(["weekday", "date", "nth"], [55, 33, 12])[0]
        self.money_style = rng.choices(["euros", "bare"], [80, 20])[0]
        self.order_style = rng.choices(["5", "6", "letter", "dash"], [76, 9, 8, 7])[0]
        self.month = rng.choice(POOLS["month"])
        self.plural, self.price, self.cat = 0, rng.randint(20, 90), None
        self.vals = {}
        draw_item(self)
        for slot in ["amt_full", "order", *self.spec["slots"], *(["nday"] if kind == "slot" else [])]:
            draw(self, slot, self.vals)
        self.opening = rng.choice(self.spec["open"])
        tag = self.opening[0] if self.opening[1] == ":" else ""
        self.voice_name = TAGS.get(tag) or rng.choice(PLAIN_VOICES)
        self.voice = CHAT["voices"][self.voice_name]
        self.opening = self.opening[2:] if tag else self.opening
        grammar(self)

    def say(self, frame, res=None, used=None, extra=None):
        """Fill a frame: first its [a|b] choices, then its {slots}."""
        while ALT.search(frame):
            frame = ALT.sub(lambda m: self.rng.choice(m.group(1).split("|")), frame)
        values = {**self.vals, **(res["vals"] if res else {}), **(extra or {})}

        def fill(match):
            """Look one slot up and note that it was used."""
            if used is not None:
                used.add(match.group(1))
            return values[match.group(1)]

        return SLOT.sub(fill, frame)

    def pick(self, pool):
        """Choose one fragment of a pool."""
        return self.rng.choice(pool)

    def chance(self, share):
        """Be true in the given share of cases."""
        return self.rng.random() < share

    def text(self):
        """All turns so far as one text."""
        return "\n".join(content for _, content in self.turns)


def draw_item(case):
    """Choose the article the ticket is about, sometimes with an adjective."""
    rng, spec = case.rng, case.spec
    if not spec["cats"]:
        return
    case.cat = rng.choice(spec["cats"])
    # Faults are written in the singular, so kinds with a fault take no plural articles.
    items = [item for item in POOLS["items"][case.cat] if not ("fault" in spec["slots"] and item[1])]
    name, case.plural, low, high = rng.choice(items)
    case.price = rng.randint(low, high)
    if not spec.get("noadj") and case.cat not in ("consumable", "multi") and rng.random() < 0.25:
        kinds = POOLS["adjective"]
        roomy = case.cat in ("furniture", "household", "garden", "textile")
        name = rng.choice(kinds["any"] + (kinds["size"] if roomy else [])) + " " + name
    case.vals["item"] = name


def grammar(case):
    """Add the words that depend on whether the article is singular or plural."""
    plural, item = case.plural, case.vals.get("item", "box")
    one, many = 0, 1
    for slot, pair in {"it_obj": ("it", "them"), "it": ("it", "they"), "It": ("It", "They"), "is": ("is", "are"),
                       "was": ("was", "were"), "has": ("has", "have"), "s": ("s", ""), "es_pl": ("es", ""),
                       "es": ("es", ""), "pl_s": ("", "s"), "goes": ("goes", "go"), "this": ("this", "these"),
                       "newone": ("a new one", "new ones")}.items():
        case.vals[slot] = pair[many if plural else one]
    case.vals.update(a_item=article(item, plural), new_item=("new " if plural else "a new ") + item)
    case.vals.update(A_item=cap(case.vals["a_item"]), New_item=cap(case.vals["new_item"]))
    for low, high in (("damage", "Damage"), ("missing", "Missing"), ("colour2", "Colour2")):
        if low in case.vals:
            case.vals[high] = cap(case.vals[low])


def ordinal(number):
    """Write a day of the month as in 'the 14th'."""
    suffix = "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"the {number}{suffix}"


def day(case, style=None):
    """Draw a weekday or a date in the style of the ticket."""
    style = style or case.day_style
    number = case.rng.randint(1, 28)
    if style == "weekday":
        return case.rng.choice(POOLS["weekday"])
    return ordinal(number) if style == "nth" else f"{number} {case.month}"


def money(case, value):
    """Write an amount, in whole euros or with cents."""
    cents = case.rng.choice([".90", ".50", ".95", ".20", ".40"])
    if case.money_style == "bare":
        return f"{value}{cents}"
    return f"{value} euros" if case.rng.random() < 0.6 else f"{value}{cents} euros"


def order_number(case):
    """Draw an order number in the style of the ticket."""
    rng = case.rng
    digits = str(rng.randint(10000, 99999))
    if case.order_style == "6":
        return digits + str(rng.randint(0, 9))
    if case.order_style == "letter":
        return rng.choice("ABDGHKLMRTW") + "-" + digits[:4]
    return digits[:2] + "-" + str(rng.randint(1000, 9999)) if case.order_style == "dash" else digits


def later(case):
    """Draw a far date such as 'late May' or '1 September'."""
    rng, month = case.rng, case.rng.choice(POOLS["month"])
    return f"{rng.randint(1, 28)} {month}" if rng.random() < 0.5 else f"{rng.choice(POOLS['later'])} {month}"


def made_up(case, slot):
    """Draw the value of a slot that is put together rather than listed."""
    rng, price = case.rng, case.price
    makers = {
        "order": lambda: order_number(case), "order2": lambda: order_number(case), "xorder": lambda: order_number(case),
        "day": lambda: day(case), "label": lambda: day(case), "nday": lambda: day(case), "xday": lambda: day(case, "weekday"),
        "date": lambda: f"{rng.randint(1, 28)} {rng.choice(POOLS['month'])}", "until": lambda: later(case),
        "amt_full": lambda: money(case, price),
        "cut": lambda: money(case, rng.randint(max(3, min(30, price // 10)), max(5, min(60, price * 2 // 5)))),
        "fee": lambda: money(case, rng.randint(3, 14)), "xamt": lambda: money(case, rng.randint(5, 300)),
        "xmonth": lambda: rng.choice(POOLS["month"]),
        "place": lambda: rng.choice(POOLS["place_name"]) + " " + rng.choice(POOLS["place_type"]),
        "shop": lambda: rng.choice(POOLS["shop_place"]),
        "address": lambda: f"{rng.randint(2, 119)} {rng.choice(POOLS['street'])}",
        "email": lambda: rng.choice(POOLS["email_user"]) + "@" + rng.choice(POOLS["email_host"]),
        "company": lambda: rng.choice(POOLS["company_a"]) + " " + rng.choice(POOLS["company_b"]),
        "code": lambda: rng.choice(POOLS["code_word"]) + str(rng.choice([5, 10, 15, 20, 25, 30])),
        "newcode": lambda: rng.choice(POOLS["code_word"]) + str(rng.randint(31, 99)),
        "points": lambda: rng.choice(["{}50", "{}00", "1,{}00", "2,{}50"]).format(rng.randint(1, 9)),
        "iban": lambda: str(rng.randint(1000, 9999)), "number": lambda: f"number {rng.randint(2, 89)}",
        "missing": lambda: f"{rng.choice(POOLS['numbers'][2:9])} {case.vals['item']}",
        "alt": lambda: rng.choice(POOLS["colour"]), "colour2": lambda: rng.choice(POOLS["colour"]),
        "badname": lambda: rng.choice(POOLS["name"]), "sub2": lambda: rng.choice(POOLS["sub"]),
        "ask": lambda: rng.choice(CHAT["ask"]),
        "damage": lambda: rng.choice(POOLS["damage"][case.cat]), "fault": lambda: rng.choice(POOLS["fault"][case.cat]),
        "part": lambda: rng.choice(POOLS["part"][case.cat]),
        "tip": lambda: rng.choice(POOLS["tip"]["electronics" if case.cat == "electronics" else "other"]),
    }
    return makers[slot]() if slot in makers else rng.choice(POOLS[slot])


def draw_size(case):
    """Draw a size of the same table as an earlier size of the ticket."""
    tables = POOLS["size_shoes" if case.cat == "shoes" else "size_clothes"]
    known = {case.vals.get("size"), case.vals.get("size2")} - {None}
    fitting = [table for table in tables if known <= set(table)]
    return case.rng.choice(case.rng.choice(fitting))


def draw(case, slot, target):
    """Draw a fresh value for a slot, unlike any other value of the ticket, into target."""
    if slot == "other":
        return draw_other(case, target)
    if slot in ("amt", "paid"):
        # The price of the article is one and the same wherever it is named.
        target[slot] = case.vals["amt_full"]
        return target[slot]
    if slot in ("misdeed", "event", "smell"):
        return draw_pair(case, slot, target)
    for _ in range(40):
        value = draw_size(case) if slot in ("size", "size2") else made_up(case, slot)
        # 'size 4' and 'size 42' or '8 May' and '18 May' are told apart as whole words later.
        if value not in case.taken:
            case.taken.add(value)
            target[slot] = value
            return value
        if slot in ("day", "label", "nday"):
            case.day_style = case.rng.choice(["date", case.day_style])
    raise Reject(slot)


def draw_pair(case, slot, target):
    """Draw a clause together with its wording in the third person."""
    name = slot + "_plural" if slot == "smell" and case.plural else slot
    index = case.rng.randrange(len(POOLS[name]))
    target[slot] = POOLS[name][index]
    target[slot + "_sum"] = POOLS[name + "_sum"][index]


def draw_other(case, target):
    """Draw the article that was sent by mistake."""
    items = [item for cat in case.spec["cats"] for item in POOLS["items"][cat] if item[0] not in case.vals["item"]]
    name, plural, _, _ = case.rng.choice(items)
    target.update(other=name, a_other=article(name, plural), other_is="they are" if plural else "it is")
    target["A_other"] = cap(target["a_other"])


def resolution(case, name):
    """Draw the details of a resolution."""
    res = {"id": name, "vals": {}, **RES[name]}
    for slot in res["slots"]:
        if slot not in case.vals:
            draw(case, slot, res["vals"])
    return res


# ---- voices -------------------------------------------------------------------------------------

def lower_voice(case, text):
    """Write like somebody who never uses the shift key."""
    text = re.sub(r"(?:(?<=^)|(?<=[.!?] ))([A-Z])(?=[a-z' ])", lambda m: m.group(1).lower(), text)
    text = re.sub(r"\bI\b", "i", text)
    for old, new in (("you", "u"), ("please", "pls"), ("Please", "pls"), ("because", "cause"), ("are", "r"), ("and", "n")):
        if case.slang.get(old):
            text = re.sub(rf"\b{old}\b", new, text)
    return text[:-1] if text.endswith(".") and case.chance(0.6) else text


def drop_voice(case, text):
    """Write like somebody whose first language has no articles."""
    return re.sub(r"(?<=[a-z] )(the|a|an) (?=[a-z])", lambda m: "" if case.chance(0.3) else m.group(0), text)


def join(case, parts):
    """Join sentences, each with a capital letter, except after a comma greeting."""
    text = ""
    for part in filter(None, parts):
        if text and text[-1].isalnum():
            text += "."
        after_comma = text.endswith(",") and part.split()[0].strip(",.").lower() in SMALL_WORDS
        word = part[0].lower() + part[1:] if after_comma and part.split()[0] != "I" else cap(part)
        text += (" " if text else "") + word
    return text


def user(case, *parts):
    """Add a customer turn in the voice of the ticket."""
    text = join(case, parts)
    if case.voice.get("lower"):
        text = lower_voice(case, text)
    if case.voice.get("bang"):
        text = re.sub(r"\.(?= |$)", lambda m: "!" if case.chance(0.3) else ".", text)
    if case.voice.get("drop"):
        text = drop_voice(case, text)
    case.turns.append(("user", text))


def agent(case, *parts):
    """Add an agent turn."""
    case.turns.append(("assistant", join(case, parts)))


def noise(case, factor=1.0):
    """Return a sentence that does not belong in the summary, or nothing."""
    if not case.chance(case.voice["noise"] * factor):
        return ""
    frame, values = case.pick(CHAT["noise"]), {}
    if frame in case.taken:
        return ""
    case.taken.add(frame)
    for slot in SLOT.findall(frame):
        case.noise_values.append(draw(case, slot, values))
    return case.say(frame, extra=values)


# ---- what is said -------------------------------------------------------------------------------

def opening(case, with_order, greet=True):
    """Add the customer's account of the trouble."""
    frame, tail = case.opening, ""
    inside = "<" in frame and with_order and case.chance(0.75)
    frame = re.sub(r"<([^<>]*)>", r"\1" if inside else "", frame)
    if with_order and not inside:
        tail = case.say(case.pick(CHAT["order_tail"]))
    hello = case.pick(case.voice["greet"]) if greet and case.voice["greet"] and case.chance(case.voice["p_greet"]) else ""
    body = case.say(frame)
    extras = [noise(case), tail]
    case.rng.shuffle(extras)
    if case.chance(0.15) and not hello:
        return user(case, extras[0], body, extras[1])
    return user(case, hello, body, *extras)


def uses_order(case):
    """Tell whether tickets of this kind have an order number."""
    return not case.spec.get("noorder")


def intro(case, shape):
    """Play the opening: told at once (A), order asked for (B), or started vaguely (C)."""
    proof = case.spec.get("proof")
    if shape == "A":
        return opening(case, uses_order(case) and not proof)
    if shape == "C":
        user(case, case.say(case.pick(CHAT["vague_account" if case.spec["group"] in ("account", "login") else "vague"])))
        agent(case, case.say(case.pick(CHAT["ask_vague"])))
        return opening(case, uses_order(case), greet=False)
    opening(case, False)
    question, answers = case.pick(CHAT["check"][case.spec["group"]])
    ask = case.say(case.pick(CHAT["ask_proof" if proof else "ask_order"])) if uses_order(case) else ""
    answer = case.say(case.pick(CHAT["answer_proof" if proof else "answer_order"])) if ask else ""
    if ask and case.chance(0.65):
        question, answers = "", [""]
    agent(case, case.pick(polite(case)), ask, question)
    return user(case, answer, case.say(case.pick(answers)), noise(case, 0.7))


def phrase(case, frame, res, res2=None):
    """Fill an offer with the verb phrases of one or two resolutions."""
    values = {"vp": case.say(case.pick(res["vp"]), res)}
    if res2:
        values["vp2"] = case.say(case.pick(res2["vp"]), res2)
    return case.say(frame, extra=values)


def polite(case):
    """Return the opening words that suit the ticket: an apology only where there is a fault."""
    return CHAT["agent_open_neutral" if case.spec.get("neutral") else "agent_open"]


def lead_in(case, told):
    """Open an agent's answer: a polite word, the order found, the cause."""
    found = case.pick(CHAT["agent_found"] if told and uses_order(case) else polite(case))
    cause = case.pick(case.spec["finding"]) if case.chance(0.75) else ""
    spare = case.pick(CHAT["noise_agent"]) if case.chance(0.08) else ""
    return [case.say(found) if case.chance(0.7) else "", spare, case.say(cause)]


def offer(case, told, res, res2=None):
    """Add an agent turn that offers one resolution or a choice of two."""
    frame = case.pick(CHAT["offer_two" if res2 else "offer_one"])
    pair = [res, res2] if case.chance(0.5) or not res2 else [res2, res]
    agent(case, *lead_in(case, told), phrase(case, frame, *pair))


def choose(case, res, choice):
    """Let the customer accept the only offer or pick one of two."""
    if not choice:
        return [case.pick(case.voice["accept"])]
    reason = case.pick(CHAT["accept_two_reason"])
    return [case.say(case.pick(res["pick"]), res), case.say(reason)]


def extras(case, res):
    """Sometimes add a wish of the customer that the summary has to carry."""
    if not case.chance(0.3) or case.extra:
        return ""
    names = {"delivery": ["where", "where", "ask", "deadline"], "visit": ["ask", "ask", "writing"],
             "transit": ["ask"]}.get(res["group"], ["writing", "manager"])
    name = case.pick(names)
    if name == "deadline":
        limit = deadline(res["vals"].get("day", ""))
        if not limit or limit in case.taken:
            return ""
        case.taken.add(limit)
        case.vals["dl"] = limit
    elif name in ("where", "ask"):
        draw(case, name, case.vals)
    else:
        case.vals[name] = {"manager": "manager", "writing": "in writing"}[name]
    case.extra = name
    return case.say(case.pick(CHAT["extra"][name]["say"]))


def deadline(when):
    """Return a day some days after the given one, or nothing when there is none."""
    week = POOLS["weekday"]
    if when in week:
        return week[week.index(when) + 1] if week.index(when) < 5 else ""
    number = re.search(r"\d+", when)
    if not number or int(number.group()) > 24:
        return ""
    late = int(number.group()) + 4
    return ordinal(late) if when.startswith("the ") else re.sub(r"\d+", str(late), when)


def correctable(case, res, frames):
    """List the slots that were mentioned and may be corrected with the given frames."""
    text, found = case.text(), []
    for values in (case.vals, res["vals"]):
        for slot in values:
            if frames.get(slot) and holds(text, values[slot]):
                found.append((slot, values))
    # A day after the customer's own limit would contradict the limit.
    found = [pair for pair in found if not (pair[0] == "day" and case.extra == "deadline")]
    # A new colour, size or address only makes sense where the agreement is about it.
    outs = " ".join(res["out"])
    return [pair for pair in found if pair[0] not in ("colour", "size", "address", "part", "name") or f"{{{pair[0]}}}" in outs]


def draw_later(case, slot, values):
    """Draw a new value for a slot; a date moves forward if that is possible."""
    old = re.search(r"\d+", values[slot])
    for _ in range(8):
        new = re.search(r"\d+", draw(case, slot, values))
        if slot != "day" or not old or not new or int(new.group()) > int(old.group()):
            break


def correct(case, res, frames):
    """Overwrite one slot with a new value and return the sentence that says so."""
    options = correctable(case, res, frames)
    if not options:
        raise Reject("nothing to correct")
    # Otherwise the order number, which is in every ticket, would be corrected most of the time.
    weights = [1 if slot == "order" else 3 if values is res["vals"] else 6 for slot, values in options]
    slot, values = case.rng.choices(options, weights)[0]
    old = values[slot]
    pool = frames[slot]
    if slot in ("amt", "paid"):
        case.price = max(4, case.price + case.rng.choice([-9, -3, 4, 7, 10]))
        draw(case, "amt_full", case.vals)
    if slot == "order" and case.order_style in "56" and case.chance(0.6):
        values[slot] = swap_digits(case, old)
        pool = pool[:4] + CHAT["order_swap"]
    else:
        draw_later(case, slot, values)
    if slot == "day" and res["group"] not in ("delivery", "visit", "pickup", "transit"):
        pool = frames["day_other"]
    case.corrected = slot
    case.superseded.append(old)
    old_a = article(old) if slot == "addon" else ""
    return case.say(case.pick(pool), extra={"old": old, "new": values[slot], "old_a": old_a})


def swap_digits(case, number):
    """Swap two unlike neighbouring digits, the commonest slip in a number."""
    places = [i for i in range(1, len(number) - 1) if number[i] != number[i + 1]]
    if not places:
        raise Reject("digits")
    i = case.pick(places)
    return number[:i] + number[i + 1] + number[i] + number[i + 2:]


def switch(case, res, res2):
    """Return what a customer says who takes the other resolution after all."""
    case.switched = True
    # A wish for the driver means nothing once there is no delivery any more, a limit nothing for a new plan.
    fitting = {"where": ["delivery"], "deadline": [], "ask": ["delivery", "visit", "transit"]}
    if case.extra in fitting and res2["group"] not in fitting[case.extra]:
        case.superseded.append(case.vals["dl" if case.extra == "deadline" else case.extra])
        case.extra = None
    # 'Then the voucher' answers an offer, but does not take something back.
    picks = [frame for frame in res2["pick"] if frame.split()[0] not in ("Then", "OK", "OK,", "Good,", "Better", "Fine,")]
    drop = case.say(case.pick(CHAT["switch_drop"]), extra={"noun": res["noun"]})
    return [case.say(case.pick(CHAT["switch"])), drop, case.say(case.pick(picks), res2)]


# ---- how it goes on -----------------------------------------------------------------------------

def settle(case, res, choice, event):
    """End the ticket with a choice, and with a correction if the event asks for one."""
    wish = "" if event else extras(case, res)
    change = correct(case, res, CHAT["correct"]) if event else ""
    user(case, *choose(case, res, choice), wish, change, "" if change else noise(case, 0.6))


def short_end(case, told, res, res2, event):
    """Offer, then settle."""
    offer(case, told, res, res2)
    settle(case, res, res2 is not None, event == "correct")
    return res


def confirmed_end(case, told, res, res2, event, acknowledged=False):
    """Offer, choice, confirmation, and a last word that may change things."""
    offer(case, told, res, res2)
    dispute = event == "amount" and CHAT["correct_customer_amt"]
    wish = extras(case, res)
    said = choose(case, res, res2 is not None)
    if dispute:
        sentence = correct(case, res, {slot: dispute for slot in ("amt", "paid")})
        user(case, *said, sentence)
        agent(case, *amount_ack(case, res))
    else:
        user(case, *said, wish, noise(case, 0.5))
        fix = correct(case, res, CHAT["correct_agent"]) if event == "agent" else ""
        agent(case, case.pick(CHAT["confirm_lead"]), fix, case.say(case.pick(res["confirm"]), res))
    return last_word(case, res, res2, event, acknowledged)


def amount_ack(case, res):
    """Let the agent agree with the amount that the customer named."""
    new = {**case.vals, **res["vals"]}[case.corrected]
    return [case.say(case.pick(CHAT["ack_amt"]), extra={"new": new}), case.say(case.pick(res["confirm"]), res)]


def last_word(case, res, res2, event, acknowledged):
    """Let the customer close the ticket, correct a detail or switch."""
    final, said = res, [noise(case, 0.25), case.pick(case.voice["close"])]
    if event == "switch":
        said, final = switch(case, res, res2), res2
    elif event == "correct":
        said = [correct(case, res, CHAT["correct"])]
        said = said if case.chance(0.6) else [case.pick(case.voice["accept"]), *said]
    user(case, *said)
    if acknowledged:
        slot = case.corrected
        value = {**case.vals, **final["vals"]}.get(slot, "")
        frame = case.pick(CHAT["ack"] if event == "correct" else final["confirm"])
        agent(case, case.say(frame, final, extra={"new": value}))
        user(case, case.pick(case.voice["close"]))
    return final


def push_end(case, told, res, low, event):
    """A poor offer, a protest, a better offer, and the end."""
    agent(case, *lead_in(case, told), phrase(case, case.pick(CHAT["offer_low"]), low))
    user(case, case.pick(case.voice["push"]), noise(case, 0.8))
    agent(case, phrase(case, case.pick(CHAT["offer_better"]), res))
    case.pushed = True
    case.superseded += list(low["vals"].values())
    settle(case, res, False, event == "correct")
    return res


def question_end(case, told, res, event):
    """An offer, a question about it, an answer, and the end."""
    offer(case, told, res)
    question, answer = case.pick(CHAT["qa"][res["group"]])
    user(case, question, noise(case, 0.4))
    agent(case, answer)
    settle(case, res, False, event == "correct")
    return res


def play(case):
    """Play one ticket from opening to end and return the resolution that stands."""
    rng, spec = case.rng, case.spec
    event = rng.choices(["none", "correct", "switch", "agent", "amount"], [56, 21, 13, 8, 2])[0]
    length = rng.choices([3, 5, 7], [8, 74, 18])[0]
    if event in ("switch", "agent", "amount"):
        length = max(length, 5)
    names = rng.sample(spec["res"], min(2, len(spec["res"])))
    res = resolution(case, names[0])
    long_end = event in ("switch", "agent", "amount") or length == 7 or rng.random() < 0.45
    shape = "A" if length == 3 or (length == 5 and long_end) else rng.choice("BBBC")
    if spec.get("proof") and shape != "B":
        shape, length = "B", max(length, 5)
    double = event == "switch" or rng.random() < 0.6
    res2 = resolution(case, names[1]) if double else None
    acknowledged = event in ("correct", "switch") and length == 7 and rng.random() < 0.6 and not spec.get("proof")
    intro(case, "A" if acknowledged else shape)
    told = shape == "B" and not acknowledged
    final = ending(case, told, res, res2, event, acknowledged, long_end and length > 3)
    other = res2 if final is res else res
    if other:
        case.superseded += list(other["vals"].values())
    return final


def ending(case, told, res, res2, event, acknowledged, long_end):
    """Choose how the ticket goes on after the opening."""
    if not long_end:
        return short_end(case, told, res, res2, event)
    lows = [name for name in case.spec["low"] if name != res["id"]]
    roll = case.rng.random()
    if event in ("none", "correct") and not acknowledged and not res2:
        if lows and roll < 0.55 and res["id"] not in ("keep_discount", "voucher", "credit", "declined_pct"):
            return push_end(case, told, res, resolution(case, case.pick(lows)), event)
        if roll < 0.85:
            return question_end(case, told, res, event)
    return confirmed_end(case, told, res, res2, event, acknowledged)


# ---- the summary --------------------------------------------------------------------------------

def outcome(case, res, used):
    """Write what was agreed, with a hint at a change of mind or a protest."""
    clause = case.say(case.pick(res["out"]), res, used)
    if case.switched:
        clause = case.pick(CHAT["o_switch"]).replace("{O}", clause)
    elif case.pushed:
        clause = case.pick(CHAT["o_push"]).replace("{O}", clause)
    if case.extra:
        clause += ", " + case.say(case.pick(CHAT["extra"][case.extra]["sum"]), res, used)
        used.add("dl" if case.extra == "deadline" else case.extra)
    elif case.corrected and case.chance(0.12):
        clause += ", " + case.pick(CHAT["tail_correct"])
    return clause


def draft(case, res):
    """Write one candidate summary and return it with the slots it uses."""
    used, told = set(), set()
    clause = outcome(case, res, told)
    whole = case.chance(0.68)
    start = case.say(case.pick(case.spec["s" if whole else "np"]), res, used)
    frames = CHAT["joins" if whole else "np_frames"]
    if case.switched or case.pushed:
        # 'X, so in the end Y' and 'For X, after some protest Y' do not read well.
        frames = [frame for frame in frames if re.search(r"[;:.] \{O", frame)]
    if re.search(r",? and ", clause):
        frames = [frame for frame in frames if ", and {O}" not in frame]
    if whole and start.startswith("The ") and case.chance(0.25):
        start = cap(start[4:])
    parts = {"S": start, "np": start, "NP": cap(start), "O": clause, "Oc": cap(clause)}
    text = SLOT.sub(lambda match: parts[match.group(1)], case.pick(frames))
    if clumsy(text, used & told) and case.chance(0.85):
        return "", set()
    return cap(text), {BASE.get(slot, slot) for slot in used | told} - GRAMMAR


def clumsy(text, twice):
    """Tell whether a summary names the customer or a value twice."""
    return len(re.findall("[Cc]ustomer", text)) > 1 or bool(twice - GRAMMAR)


def faithful(case, res, text, used):
    """Check a summary: all its values stand in the ticket, none is superseded or noise."""
    ticket, values = case.text(), {**case.vals, **res["vals"]}
    if not 14 <= len(text.split()) <= 36 or (case.corrected and case.corrected not in used):
        return False
    if any(not slot.endswith("_sum") and not holds(ticket, values[slot]) for slot in used):
        return False
    gone = set(case.superseded + case.noise_values) - {values[slot] for slot in used}
    return not any(holds(text, value) for value in gone)


def strip_article(value):
    """Take a leading 'a' or 'an' off a fact."""
    return re.sub(r"^an? ", "", value)


def facts(case, res, text, used):
    """Choose two to four facts: what was corrected first, then the agreement, then the rest."""
    ticket, values = case.text(), {**case.vals, **res["vals"]}
    first = [slot for slot in used if slot == case.corrected]
    agreed = [slot for slot in res["slots"] if slot in used]
    wish = [slot for slot in ("where", "ask", "dl", "manager", "writing") if slot in used]
    ranked = first + agreed + ["order"] * ("order" in used) + wish
    rest = [slot for slot in sorted(used) if slot not in ranked and not slot.endswith("_sum")]
    case.rng.shuffle(rest)
    rest.sort(key=lambda slot: slot in LOW_PRIORITY)
    words = [strip_article(values[slot]) for slot in [*ranked, *rest]]
    words[len(words):] = [key for key in res["key"] if case.chance(0.5)][:1]
    chosen = []
    for word in words:
        if holds(ticket, word) and holds(text, word) and not any(word in other or other in word for other in chosen):
            chosen.append(word)
    wanted = case.rng.choices([2, 3, 4], [3, 55, 42])[0]
    chosen = chosen[:max(wanted, len(set(first + agreed)), 2)][:4]
    if len(chosen) < 2 or not set(strip_article(values[slot]) for slot in first) <= set(chosen):
        raise Reject("too few facts")
    return sorted(chosen, key=text.index)


def make_row(rng, kind):
    """Play one ticket and write its row; raises Reject when it cannot be told cleanly."""
    case = Case(rng, kind)
    case.slang = {word: rng.random() < 0.45 for word in ("you", "please", "Please", "because", "are", "and")}
    final = play(case)
    for _ in range(30):
        text, used = draft(case, final)
        if faithful(case, final, text, used):
            break
    else:
        raise Reject("no faithful summary")
    kept = facts(case, final, text, used)
    turns = case.turns + [("assistant", text)]
    row = {"messages": [{"role": role, "content": content} for role, content in turns], "label": "summary", "facts": kept}
    values = {**case.vals, **final["vals"]}
    # Two resolutions may share the price, which then is not superseded.
    gone = [value for value in case.superseded if value not in {values[slot] for slot in used}]
    trace = {"kind": kind, "resolution": final["id"], "superseded": gone, "noise": case.noise_values,
             "corrected": case.corrected, "switched": case.switched, "values": values}
    return row, trace


def generate_traced(count, seed=0):
    """Return rows, each with a trace of how it was made, for checks."""
    rng, rows, seen, kinds = random.Random(seed), [], set(), []
    while len(rows) < count:
        if not kinds:
            kinds = sorted(KINDS)
            rng.shuffle(kinds)
        try:
            row, trace = make_row(rng, kinds[-1])
        except Reject:
            continue
        kinds.pop()
        ticket = " ".join(message["content"] for message in row["messages"][:-1])
        answer = row["messages"][-1]["content"]
        if ticket not in seen and answer not in seen:
            seen |= {ticket, answer}
            rows.append((row, trace))
    return rows


def generate(count: int, seed: int = 0) -> list[dict]:
    """Return count rows with messages, label and facts; the same seed gives the same list."""
    return [row for row, _ in generate_traced(count, seed)]


if __name__ == "__main__":
    for item in generate(int(sys.argv[1]) if len(sys.argv) > 1 else 10, int(sys.argv[2]) if len(sys.argv) > 2 else 0):
        print(json.dumps(item))
