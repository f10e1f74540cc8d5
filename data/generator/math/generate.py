"""Seeded generator of shop word problems whose answer is a line of calculator steps.

A family is a situation: statements of the facts in fragments.json, and a table here that draws its numbers. A kind is one
question about a family, with the steps that answer it. Several kinds share the same statements, so the question decides
which numbers count, and the other numbers are there to mislead.
"""

import json
import random
import re
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

FRAGMENTS = json.loads((Path(__file__).parent / "fragments.json").read_text(encoding="utf-8"))
RANGES = {"small": (3, 30), "mid": (20, 140), "big": (150, 900), "piece": (0.4, 4.5), "set": (4, 45)}
WORDS = {
    2: "two",
    3: "three",
    4: "four",
    5: "five",
    6: "six",
    7: "seven",
    8: "eight",
    9: "nine",
    10: "ten",
    11: "eleven",
    12: "twelve",
    20: "twenty",
}
PARTS = {50: "half", 25: "a quarter", 20: "a fifth", 10: "a tenth"}
# Plural, singular, rough worth in euros.
CURRENCIES = [
    ("euros", "euro", 1.0),
    ("dollars", "dollar", 0.92),
    ("pounds", "pound", 1.17),
    ("francs", "franc", 1.05),
    ("Swedish kronor", "krona", 0.088),
    ("Norwegian kroner", "krone", 0.086),
    ("Danish kroner", "krone", 0.134),
    ("zloty", "zloty", 0.235),
    ("Canadian dollars", "Canadian dollar", 0.68),
    ("Australian dollars", "Australian dollar", 0.61),
    ("Czech korunas", "koruna", 0.04),
]
OFF = (5, 10, 12, 15, 20, 25, 30, 35, 40, 50, 60)
FEE = (5, 8, 10, 12, 15, 18, 20, 25)
ASIDE_RATES = {True: 0.05, False: 0.16}  # asides with numbers, for problems with and without idle numbers of their own
OUTSIDE = {"ord", "day", "year", "some"}
IDLE_DROPPED = 0.4  # share of the rows with idle numbers that are drawn again
LENGTHS = (60, 215)
SHARES = {1: 0.27, 2: 0.45, 3: 0.2, 4: 0.08}  # of rows, by the number of steps
TAX = (5, 7, 8, 10, 12, 19, 20, 21, 23, 25)


@dataclass(frozen=True)
class Number:
    """A number of the problem; `kind` is money, count, percent or rate."""

    kind: str
    value: Fraction


@dataclass
class Style:
    """How one row writes its numbers; `scale` makes prices ten times as large in crowns."""

    affix: str
    mode: str
    scale: int
    whole: bool
    words: bool
    percent: str
    seen: set = field(default_factory=set)


# Drawing numbers. Every function takes (rng, values) last, so that the tables below can name them with their settings.


def _cents(rng, low: float, high: float) -> Fraction:
    """A price between the bounds, more often a small one, with the endings that shops like."""
    amount = low * (high / low) ** rng.random()
    if amount > 120 and rng.random() < 0.6:
        return Fraction(round(amount / 5) * 5 - rng.choice((0, 0, 1)))
    ending = rng.choices((0, 50, 90, 95, 99, None, -1), (26, 14, 7, 3, 2, 30, 18))[0]
    if ending is None:
        return Fraction(max(1, round(amount * 10)), 10)
    if ending == -1 or amount < 1.5:
        return Fraction(max(1, round(amount * 20)), 20)
    return Fraction(max(1, int(amount)) * 100 + ending, 100)


def money(low, high):
    """An amount between two bounds."""
    return lambda rng, v: Number("money", _cents(rng, low * v["scale"], high * v["scale"]))


def price(rng, v):
    """A price that suits the goods drawn before."""
    return money(*RANGES[v["group"]])(rng, v)


def price_of(place: int):
    """A price that suits one of the three articles drawn by `basket`."""
    return lambda rng, v: money(*RANGES[v[f"group{place}"]])(rng, v)


def near(name, low, high, step=None):
    """An amount that is a share of another one, rounded to whole steps if a step is given."""

    def draw(rng, v):
        base = float(v[name].value)
        if step is None:
            return Number("money", _cents(rng, base * low, base * high))
        size = step * v["scale"]
        return Number("money", Fraction(max(1, round(base * rng.uniform(low, high) / size)) * size))

    return draw


def voucher(low, high):
    """A round amount such as people print on vouchers."""

    def draw(rng, v):
        return Number(
            "money",
            Fraction(
                rng.choice(
                    [n for n in (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 80, 100, 120, 150, 200) if low <= n <= high]
                )
            )
            * v["scale"],
        )

    return draw


def count(low, high):
    """A whole number between two bounds."""
    return lambda rng, v: Number("count", Fraction(rng.randint(low, high)))


def pick(*choices):
    """One of some whole numbers."""
    return lambda rng, v: Number("count", Fraction(rng.choice(choices)))


def part(name, least=2, most=999):
    """A whole number below another one."""
    return lambda rng, v: Number("count", Fraction(rng.randint(least, min(most, int(v[name].value) - 1))))


def percent(*choices):
    """One of some percentages, kept as 15 for 15%."""
    return lambda rng, v: Number("percent", Fraction(str(rng.choice(choices))))


def made(formula, kind="money"):
    """A number computed from those drawn before, such as a total."""

    def draw(rng, v):
        return Number(kind, formula(rng, _Values(v)))

    return draw


class _Values(dict):
    """Plain access to the values for the formulas of `made`: v.p instead of v["p"].value; percentages as shares."""

    def __getattr__(self, name):
        """The value behind a name."""
        number = self[name]
        return number.value / 100 if number.kind == "percent" else number.value


def _plural(entry: str) -> tuple[str, str]:
    """Singular and plural of an entry such as "mug" or "tin of soup/tins of soup"."""
    one, _, more = entry.partition("/")
    return one, more or one + "s"


def goods(rng, v, group: str) -> None:
    """Put an article into the values, as {item} and {items}."""
    v["group"] = group
    v["item"], v["items"] = _plural(rng.choice(FRAGMENTS["goods"][group]))


def basket(rng, v, group: str) -> None:
    """Put three different articles into the values, as {i1}, {i1s} and so on; "any" mixes small and middling ones."""
    groups = ("small", "mid") if group == "any" else (group,)
    entries = [(name, entry) for name in groups for entry in FRAGMENTS["goods"][name]]
    for place, (name, entry) in enumerate(rng.sample(entries, 3), 1):
        v[f"i{place}"], v[f"i{place}s"] = _plural(entry)
        v[f"group{place}"] = name
    v["group"], v["item"], v["items"] = v["group3"], v["i3"], v["i3s"]


def keep_one(rng, v):
    """Of the three articles a, b, c keep one: {k1}; {r1} and {r2} go back, with the prices x1 and x2."""
    kept = rng.randrange(3)
    back = [place for place in range(3) if place != kept]
    v["k1"] = v[f"i{kept + 1}"]
    for place, index in enumerate(back, 1):
        v[f"r{place}"], v[f"x{place}"] = v[f"i{index + 1}"], v["abc"[index]]
    return v["abc"[kept]]


def currencies(rng, v):
    """Two currencies whose rate is not tiny, as {c1}, {s1}, {c2}; gives the rate."""
    while True:
        one, two = rng.sample(CURRENCIES, 2)
        rate = one[2] / two[2] * rng.uniform(0.96, 1.04)
        if 0.4 <= rate <= 14 and one[1].split()[-1] != two[1].split()[-1]:  # two sorts of dollar would need a longer text
            break
    v["c1"], v["s1"], v["c2"], v["worth"] = one[0], one[1], two[0], two[2]
    v["range"] = [bound / one[2] for bound in RANGES["mid"]]
    digits = 3 if rate < 2 and rng.random() < 0.1 else 2
    return Number("rate", Fraction(round(rate * 10**digits), 10**digits))


def foreign(rng, v):
    """A price in the first of two currencies."""
    return Number("money", _cents(rng, *v["range"]))


def home(low, high):
    """An amount in the second currency, given in euros."""
    return lambda rng, v: Number("money", _cents(rng, low / v["worth"], high / v["worth"]))


def _pay_or_free(goods_step: str, name: str):
    """Steps of an order whose delivery is free from a limit; free delivery is written as a step of its own."""

    def steps(v):
        names = {
            key: value.value / 100 if value.kind == "percent" else value.value for key, value in v.items() if isinstance(value, Number)
        }
        total = eval(re.sub(r"\{(\w+)\}", r"\1", goods_step), {}, names)
        if total == names["th"]:
            return None
        head = f"{name} = {goods_step}; "
        return head + (f"answer = {name} + {{s}}" if total < names["th"] else f"shipping = 0; answer = {name} + shipping")

    return steps


def _band(v):
    """Postage by weight: the band that the parcel falls into."""
    weight = v["k"].value
    if weight in (v["w1"].value, v["w2"].value):
        return None
    return "answer = {g} + " + ("{b1}" if weight < v["w1"].value else "{b2}" if weight < v["w2"].value else "{b3}")


def _two_dearest(v):
    """Three articles, the cheapest free."""
    cheapest = min("abc", key=lambda name: v[name].value)
    return "answer = " + " + ".join(f"{{{name}}}" for name in "abc" if name != cheapest)


def _tier(lower: bool):
    """Unit price by quantity; with `lower`, the saving of those who reach the limit."""

    def steps(v):
        reached = v["n"].value >= v["h"].value
        if lower:
            return "difference = {p1} - {p2}; answer = {n} * difference" if reached else None
        return "answer = {n} * {p2}" if reached else "answer = {n} * {p1}"

    return steps


def _capped(tail: bool):
    """Cashback with a ceiling, alone or deducted from the price."""

    def steps(v):
        uncapped = v["p"].value * v["r"].value / 100
        if uncapped == v["cap"].value:
            return None
        cash = "{p} * {r}" if uncapped < v["cap"].value else "{cap}"
        return f"cashback = {cash}; answer = {{p}} - cashback" if tail else f"answer = {cash}"

    return steps


def _overcharged(rng, v):
    """What a muddled till would take: no voucher, no percentage, wrong order, or simply too much."""
    right = v.p * (1 - v.r) - v.c
    return rng.choice((v.p, v.p - v.c, (v.p - v.c) * (1 - v.r), right + rng.randint(2, 40) * Fraction(v["scale"], 4)))


def _undercharged(rng, v):
    """A charge that is too low, by less than half."""
    right = v.p * (1 - v.r) - v.c
    return right - Fraction(max(1, round(float(right) * rng.uniform(0.05, 0.45) * 4)), 4)


TOTAL = made(lambda rng, v: v.n * v.u)
PER_DAY = made(lambda rng, v: v.d * v.u)
SALE = "{p} * (1 - {r})"

# family: (goods, {slot: how to draw it}, {kind: steps}). Slots are drawn in this order.
FAMILIES = {
    "unit_return": (
        "small",
        {"n": count(4, 12), "k": part("n"), "p": price},
        {"refund": "answer = {k} * {p}", "kept": "kept = {n} - {k}; answer = kept * {p}", "bill": "answer = {n} * {p}"},
    ),
    "share_return": (
        "set",
        {"n": count(4, 10), "k": part("n"), "u": price, "t": TOTAL, "f": money(2.5, 8)},
        {
            "refund": "unit_price = {t} / {n}; returned = {k} * unit_price; answer = returned - {f}",
            "each": "answer = {t} / {n}",
            "gross": "unit_price = {t} / {n}; answer = {k} * unit_price",
            "kept": "unit_price = {t} / {n}; kept = {n} - {k}; answer = kept * unit_price",
        },
    ),
    "receipt_return": (
        "basket any",
        {"a": price_of(1), "b": price_of(2), "c": price_of(3), "kept": keep_one},
        {"refund": "answer = {x1} + {x2}", "bill": "answer = {a} + {b} + {c}"},
    ),
    "two_lines": (
        "basket small",
        {"n1": count(3, 9), "p1": price, "n2": count(3, 9), "p2": price, "k1": part("n1"), "k2": part("n2")},
        {
            "refund": "answer = {k1} * {p1} + {k2} * {p2}",
            "bill": "answer = {n1} * {p1} + {n2} * {p2}",
            "kept": "bill = {n1} * {p1} + {n2} * {p2}; returned = {k1} * {p1} + {k2} * {p2}; answer = bill - returned",
        },
    ),
    "percent_code": (
        "mid",
        {"p": price, "r": percent(*OFF[1:10]), "c": voucher(2, 15)},
        {
            "final": f"sale_price = {SALE}; answer = sale_price - {{c}}",
            "before_code": f"answer = {SALE}",
            "saved": "discount = {p} * {r}; answer = discount + {c}",
        },
    ),
    "code_percent": (
        "mid",
        {"p": price, "r": percent(*OFF[1:10]), "c": voucher(2, 15)},
        {
            "final": "after_code = {p} - {c}; answer = after_code * (1 - {r})",
            "after_code": "answer = {p} - {c}",
            "saved": "after_code = {p} - {c}; final_price = after_code * (1 - {r}); answer = {p} - final_price",
        },
    ),
    "qty_code": (
        "small",
        {"n": count(2, 12), "p": price, "r": percent(*OFF[:10]), "c": voucher(2, 15)},
        {
            "final": "full = {n} * {p}; reduced = full * (1 - {r}); answer = reduced - {c}",
            "percent_only": "full = {n} * {p}; answer = full * (1 - {r})",
            "percent_saving": "full = {n} * {p}; answer = full * {r}",
        },
    ),
    "order_full": (
        "small",
        {"n": count(2, 12), "p": price, "r": percent(*OFF[:10]), "c": voucher(2, 12), "s": money(2.5, 9)},
        {
            "final": "full = {n} * {p}; reduced = full * (1 - {r}); after_code = reduced - {c}; answer = after_code + {s}",
            "goods": "full = {n} * {p}; reduced = full * (1 - {r}); answer = reduced - {c}",
        },
    ),
    "overcharge": (
        "mid",
        {"p": price, "r": percent(*OFF[1:10]), "c": voucher(2, 15), "x": made(_overcharged)},
        {
            "diff": f"sale_price = {SALE}; correct = sale_price - {{c}}; answer = {{x}} - correct",
            "correct": f"sale_price = {SALE}; answer = sale_price - {{c}}",
        },
    ),
    "undercharge": (
        "mid",
        {"p": price, "r": percent(*OFF[1:10]), "c": voucher(2, 15), "x": made(_undercharged)},
        {
            "diff": f"sale_price = {SALE}; correct = sale_price - {{c}}; answer = correct - {{x}}",
            "correct": f"sale_price = {SALE}; answer = sale_price - {{c}}",
        },
    ),
    "sale": ("mid", {"p": price, "r": percent(*OFF)}, {"price": f"answer = {SALE}", "saving": "answer = {p} * {r}"}),
    "reverse": (
        "mid",
        {"p": price, "r": percent(*OFF[1:]), "q": made(lambda rng, v: v.p * (1 - v.r))},
        {"original": "answer = {q} / (1 - {r})", "saved": "original = {q} / (1 - {r}); answer = original - {q}"},
    ),
    "stacked": (
        "mid",
        {"p": price, "r1": percent(20, 25, 30, 40, 50), "r2": percent(5, 10, 15, 20)},
        {
            "final": "sale_price = {p} * (1 - {r1}); answer = sale_price * (1 - {r2})",
            "first": "answer = {p} * (1 - {r1})",
            "saved": "sale_price = {p} * (1 - {r1}); final_price = sale_price * (1 - {r2}); answer = {p} - final_price",
        },
    ),
    "plan_used": (
        "plan",
        {
            "d": pick(7, 10, 14, 20, 21, 28, 30, 30, 31, 60, 90, 365),
            "u1": money(0.2, 2.5),
            "f": made(lambda rng, v: v.d * v.u1),
            "u": part("d"),
        },
        {
            "charge": "per_day = {f} / {d}; answer = per_day * {u}",
            "per_day": "answer = {f} / {d}",
            "refund": "per_day = {f} / {d}; unused_days = {d} - {u}; answer = per_day * unused_days",
        },
    ),
    "plan_left": (
        "plan",
        {
            "d": pick(7, 10, 14, 20, 21, 28, 30, 30, 31, 60, 90, 365),
            "u1": money(0.2, 2.5),
            "f": made(lambda rng, v: v.d * v.u1),
            "u": part("d"),
        },
        {
            "refund": "per_day = {f} / {d}; answer = per_day * {u}",
            "charge": "per_day = {f} / {d}; used_days = {d} - {u}; answer = per_day * used_days",
        },
    ),
    "year_plan": (
        "plan",
        {"u": money(3, 30), "a": made(lambda rng, v: 12 * v.u), "m": count(2, 10)},
        {
            "refund": "per_month = {a} / 12; months_left = 12 - {m}; answer = per_month * months_left",
            "charge": "per_month = {a} / 12; answer = per_month * {m}",
            "month": "answer = {a} / 12",
        },
    ),
    "year_plan_fee": (
        "plan",
        {"u": money(4, 30), "a": made(lambda rng, v: 12 * v.u), "m": count(2, 9), "f": money(2, 11)},
        {
            "refund": "per_month = {a} / 12; months_left = 12 - {m}; unused = per_month * months_left; answer = unused - {f}",
            "unused": "per_month = {a} / 12; months_left = 12 - {m}; answer = per_month * months_left",
        },
    ),
    "month_year": (
        "plan",
        {"b": money(4, 30), "u": near("b", 0.7, 0.93), "a": made(lambda rng, v: 12 * v.u)},
        {"saving": "monthly_total = 12 * {b}; answer = monthly_total - {a}", "month": "answer = {a} / 12", "year": "answer = 12 * {b}"},
    ),
    "upgrade": (
        "plan",
        {
            "d": pick(10, 14, 20, 28, 30, 30, 31, 90),
            "u1": money(0.2, 1.2),
            "a": made(lambda rng, v: v.d * v.u1),
            "u2": money(0.1, 1),
            "b": made(lambda rng, v: v.a + v.d * v.u2),
            "u": part("d"),
        },
        {"due": "difference = {b} - {a}; per_day = difference / {d}; answer = per_day * {u}", "period": "answer = {b} - {a}"},
    ),
    "pause": (
        "plan",
        {"p": money(4, 40), "m": count(2, 7)},
        {"year": "active_months = 12 - {m}; answer = active_months * {p}", "saved": "answer = {m} * {p}"},
    ),
    "fx": ("mid", {"q": currencies, "p": foreign}, {"convert": "answer = {p} * {q}"}),
    "fx_inverse": ("mid", {"q": currencies, "p": foreign, "w": made(lambda rng, v: v.p * v.q)}, {"convert": "answer = {w} / {q}"}),
    "fx_fee": (
        "mid",
        {"q": currencies, "p": foreign, "f": home(1, 5)},
        {"total": "converted = {p} * {q}; answer = converted + {f}", "plain": "answer = {p} * {q}"},
    ),
    "fx_pct": (
        "mid",
        {"q": currencies, "p": foreign, "r": percent(1, 2, 3, 4, 5, 1.5, 2.5)},
        {
            "total": "converted = {p} * {q}; fee = converted * {r}; answer = converted + fee",
            "fee": "converted = {p} * {q}; answer = converted * {r}",
        },
    ),
    "fx_qty": (
        "mid",
        {"q": currencies, "p": foreign, "n": count(2, 12)},
        {"total": "total = {n} * {p}; answer = total * {q}", "one": "answer = {p} * {q}", "foreign": "answer = {n} * {p}"},
    ),
    "fx_budget": (
        "mid",
        {"q": currencies, "p": foreign, "t": made(lambda rng, v: v.p * v.q), "b": near("t", 0.6, 1.8)},
        {"left": "converted = {p} * {q}; answer = {b} - converted", "short": "converted = {p} * {q}; answer = converted - {b}"},
    ),
    "fx_compare": (
        "mid",
        {"q": currencies, "p": foreign, "t": made(lambda rng, v: v.p * v.q), "h": near("t", 0.75, 1.35)},
        {"home": "here = {p} * {q}; answer = here - {h}", "here": "here = {p} * {q}; answer = {h} - here"},
    ),
    "ship_two": (
        "basket small",
        {
            "a": price,
            "n": count(2, 6),
            "p": price,
            "t": made(lambda rng, v: v.a + v.n * v.p),
            "th": near("t", 0.7, 1.4, 5),
            "s": money(2.5, 8),
        },
        {
            "total": _pay_or_free("{a} + {n} * {p}", "goods"),
            "gap": "goods = {a} + {n} * {p}; answer = {th} - goods",
            "goods": "answer = {a} + {n} * {p}",
        },
    ),
    "ship_add": (
        "small",
        {"b": money(12, 90), "c": price, "t": made(lambda rng, v: v.b + v.c), "th": near("t", 0.75, 1.35, 5), "s": money(2.5, 8)},
        {"total": _pay_or_free("{b} + {c}", "goods"), "goods": "answer = {b} + {c}"},
    ),
    "ship_gap": (
        "small",
        {"b": money(12, 110), "th": near("b", 1.05, 1.7, 5), "s": money(2.5, 8)},
        {"gap": "answer = {th} - {b}", "total": "answer = {b} + {s}"},
    ),
    "ship_percent": (
        "small",
        {
            "b": money(20, 150),
            "r": percent(*OFF[:9]),
            "t": made(lambda rng, v: v.b * (1 - v.r)),
            "th": near("t", 0.75, 1.35, 5),
            "s": money(2.5, 8),
        },
        {"total": _pay_or_free("{b} * (1 - {r})", "discounted"), "goods": "answer = {b} * (1 - {r})"},
    ),
    "weight_post": (
        "small",
        {
            "b": money(3.5, 9),
            "w": count(2, 10),
            "c": money(0.4, 2.5),
            "x": count(2, 15),
            "k": made(lambda rng, v: v.w + v.x, "count"),
            "g": money(20, 200),
        },
        {
            "postage": "extra_weight = {k} - {w}; extra_cost = extra_weight * {c}; answer = {b} + extra_cost",
            "extra": "extra_weight = {k} - {w}; answer = extra_weight * {c}",
            "total": "extra_weight = {k} - {w}; extra_cost = extra_weight * {c}; postage = {b} + extra_cost; answer = {g} + postage",
        },
    ),
    "band_post": (
        "small",
        {
            "w1": count(2, 5),
            "w2": count(8, 20),
            "b1": money(3, 6),
            "b2": near("b1", 1.3, 1.9),
            "b3": near("b2", 1.3, 2),
            "k": pick(1, 2, 3, 4, 6, 7, 8, 9, 12, 15, 18, 22, 25, 28),
            "g": money(20, 200),
        },
        {"total": _band},
    ),
    "pack": (
        "piece",
        {"n": pick(3, 4, 5, 6, 8, 10, 12, 15, 20, 24), "u": price, "t": TOTAL, "p": near("u", 1.1, 1.6)},
        {
            "each": "answer = {t} / {n}",
            "cheaper": "unit_price = {t} / {n}; answer = {p} - unit_price",
            "saving": "loose = {n} * {p}; answer = loose - {t}",
        },
    ),
    "pack_need": (
        "piece",
        {
            "n": pick(3, 4, 5, 6, 8, 10, 12),
            "u": price,
            "t": TOTAL,
            "p": near("u", 1.1, 1.6),
            "x": count(2, 9),
            "m": made(lambda rng, v: v.n * v.x, "count"),
        },
        {
            "cost": "packs = {m} / {n}; answer = packs * {t}",
            "loose": "answer = {m} * {p}",
            "saving": "packs = {m} / {n}; packs_cost = packs * {t}; loose = {m} * {p}; answer = loose - packs_cost",
        },
    ),
    "two_packs": (
        "piece",
        {
            "n1": pick(4, 5, 6, 8, 10, 12),
            "u1": price,
            "t1": made(lambda rng, v: v.n1 * v.u1),
            "n2": pick(9, 12, 15, 16, 18, 20, 24, 30),
            "u2": near("u1", 0.6, 0.95),
            "t2": made(lambda rng, v: v.n2 * v.u2),
        },
        {
            "diff": "box_price = {t1} / {n1}; bag_price = {t2} / {n2}; answer = box_price - bag_price",
            "box": "answer = {t1} / {n1}",
            "bag": "answer = {t2} / {n2}",
        },
    ),
    "by_weight": (
        "small",
        {"w": pick(2, 3, 4, 5, 8, 10, 12, 15, 20, 25), "u": money(0.6, 6), "t": made(lambda rng, v: v.w * v.u), "m": count(2, 40)},
        {"price": "per_kg = {t} / {w}; answer = per_kg * {m}", "per_kg": "answer = {t} / {w}"},
    ),
    "by_metre": (
        "small",
        {"m": count(3, 40), "p": money(0.8, 14), "k": count(2, 8), "f": money(0.4, 2.5)},
        {
            "total": "material = {m} * {p}; cutting = {k} * {f}; answer = material + cutting",
            "material": "answer = {m} * {p}",
            "cutting": "answer = {k} * {f}",
        },
    ),
    "deposit": (
        "mid",
        {"k": count(2, 9), "x": money(6, 60), "d": voucher(40, 200), "y": near("d", 0.1, 0.8)},
        {
            "back": "answer = {d} - {y}",
            "rent": "answer = {k} * {x}",
            "cost": "rent = {k} * {x}; answer = rent + {y}",
            "start": "rent = {k} * {x}; answer = rent + {d}",
        },
    ),
    "crates": (
        "small",
        {"n": count(4, 30), "k": part("n"), "p": money(1.5, 25)},
        {"held": "missing = {n} - {k}; answer = missing * {p}", "back": "answer = {k} * {p}", "all": "answer = {n} * {p}"},
    ),
    "hire_late": (
        "mid",
        {"d": count(2, 14), "u": money(5, 50), "t": PER_DAY, "e": count(2, 6)},
        {
            "total": "per_day = {t} / {d}; days = {d} + {e}; answer = per_day * days",
            "extra": "per_day = {t} / {d}; answer = per_day * {e}",
            "daily": "answer = {t} / {d}",
        },
    ),
    "hire_early": (
        "mid",
        {"d": count(4, 21), "u": money(5, 40), "t": PER_DAY, "k": part("d")},
        {
            "charge": "per_day = {t} / {d}; answer = per_day * {k}",
            "refund": "per_day = {t} / {d}; unused_days = {d} - {k}; answer = per_day * unused_days",
        },
    ),
    "late_grace": (
        "mid",
        {"t": money(25, 250), "g": count(2, 4), "e": count(6, 14), "f": money(1.5, 12)},
        {
            "total": "late_days = {e} - {g}; fee = late_days * {f}; answer = {t} + fee",
            "fee": "late_days = {e} - {g}; answer = late_days * {f}",
        },
    ),
    "late_flat": (
        "mid",
        {"t": money(25, 400), "e": count(2, 9), "f": money(1.5, 8)},
        {"total": "fee = {e} * {f}; answer = {t} + fee", "fee": "answer = {e} * {f}"},
    ),
    "late_pct": (
        "mid",
        {"t": money(30, 600), "m": count(2, 7), "r": percent(1, 1.5, 2, 3, 4, 5)},
        {"total": "monthly = {t} * {r}; fee = {m} * monthly; answer = {t} + fee", "fee": "monthly = {t} * {r}; answer = {m} * monthly"},
    ),
    "instalment": (
        "big",
        {"n": count(3, 12), "k": part("n"), "u": money(15, 90), "d": voucher(30, 200), "p": made(lambda rng, v: v.d + v.n * v.u)},
        {
            "part": "rest = {p} - {d}; answer = rest / {n}",
            "paid": "rest = {p} - {d}; part = rest / {n}; paid_parts = {k} * part; answer = {d} + paid_parts",
            "owed": "rest = {p} - {d}; part = rest / {n}; parts_left = {n} - {k}; answer = parts_left * part",
        },
    ),
    "instal_fee": (
        "big",
        {"n": count(3, 12), "u": money(15, 90), "d": voucher(30, 200), "p": made(lambda rng, v: v.d + v.n * v.u), "f": money(0.5, 4)},
        {"each": "rest = {p} - {d}; part = rest / {n}; answer = part + {f}", "fees": "answer = {n} * {f}", "rest": "answer = {p} - {d}"},
    ),
    "instal_total": (
        "big",
        {"n": count(3, 24), "m": money(12, 60), "t": made(lambda rng, v: v.n * v.m), "p": near("t", 0.85, 0.97)},
        {"extra": "total = {n} * {m}; answer = total - {p}", "total": "answer = {n} * {m}"},
    ),
    "instal_left": (
        "big",
        {"n": count(4, 24), "k": part("n"), "m": money(12, 60)},
        {"left": "payments_left = {n} - {k}; answer = payments_left * {m}", "paid": "answer = {k} * {m}", "total": "answer = {n} * {m}"},
    ),
    "gift_left": (
        "small",
        {"n": count(2, 8), "p": price, "g": voucher(20, 200)},
        {"left": "spend = {n} * {p}; answer = {g} - spend", "spend": "answer = {n} * {p}"},
    ),
    "gift_top": (
        "small",
        {"n": count(2, 8), "p": price, "g": voucher(10, 100)},
        {"top": "spend = {n} * {p}; answer = spend - {g}", "spend": "answer = {n} * {p}"},
    ),
    "two_cards": (
        "mid",
        {"g1": voucher(5, 60), "g2": voucher(5, 60), "p": price},
        {"rest": "cards = {g1} + {g2}; answer = {p} - cards", "sum": "answer = {g1} + {g2}"},
    ),
    "gift_percent": (
        "mid",
        {"p": price, "r": percent(*OFF[1:10]), "g": voucher(20, 100)},
        {
            "left": f"sale_price = {SALE}; answer = {{g}} - sale_price",
            "top": f"sale_price = {SALE}; answer = sale_price - {{g}}",
            "price": f"answer = {SALE}",
        },
    ),
    "split": (
        "basket mid",
        {"a": price, "b": price, "s": money(3, 12), "m": count(2, 8)},
        {
            "share": "total = {a} + {b} + {s}; answer = total / {m}",
            "total": "answer = {a} + {b} + {s}",
            "no_post": "total = {a} + {b}; answer = total / {m}",
        },
    ),
    "split_voucher": (
        "basket mid",
        {"a": price, "b": price, "v": voucher(5, 20), "m": count(2, 8)},
        {
            "share": "total = {a} + {b}; after_voucher = total - {v}; answer = after_voucher / {m}",
            "after": "total = {a} + {b}; answer = total - {v}",
        },
    ),
    "split_own": (
        "basket any",
        {"a": price_of(1), "x": money(20, 150), "t": made(lambda rng, v: v.a + v.x), "m": count(2, 8)},
        {"mine": "shared = {t} - {a}; share = shared / {m}; answer = {a} + share", "other": "shared = {t} - {a}; answer = shared / {m}"},
    ),
    "split_others": (
        "big",
        {"m": count(3, 9), "u": money(15, 90), "t": made(lambda rng, v: v.m * v.u)},
        {"others": "share = {t} / {m}; others = {m} - 1; answer = others * share", "share": "answer = {t} / {m}"},
    ),
    "match": (
        "mid",
        {"p": price, "q": near("p", 0.7, 0.96), "n": count(2, 6)},
        {"all": "difference = {p} - {q}; answer = {n} * difference", "each": "answer = {p} - {q}"},
    ),
    "match_ship": (
        "mid",
        {"p": price, "q": near("p", 0.6, 0.9), "s": money(2.5, 9)},
        {"gap": "rival = {q} + {s}; answer = {p} - rival", "rival": "answer = {q} + {s}"},
    ),
    "match_beat": (
        "mid",
        {"p": price, "q": near("p", 0.75, 0.97), "r": percent(3, 4, 5, 10, 12)},
        {"price": "answer = {q} * (1 - {r})", "off": "new_price = {q} * (1 - {r}); answer = {p} - new_price"},
    ),
    "match_double": (
        "mid",
        {"p": price, "q": near("p", 0.75, 0.97)},
        {"due": "difference = {p} - {q}; answer = 2 * difference", "diff": "answer = {p} - {q}"},
    ),
    "points": (
        "mid",
        {
            "p": price,
            "h": pick(50, 100, 100, 200, 250, 500),
            "x": count(2, 12),
            "k": made(lambda rng, v: v.h * v.x, "count"),
            "v": money(0.5, 5),
        },
        {"pay": "blocks = {k} / {h}; value = blocks * {v}; answer = {p} - value", "value": "blocks = {k} / {h}; answer = blocks * {v}"},
    ),
    "bundle": (
        "basket any",
        {"a1": price_of(1), "a2": price_of(2), "a3": price_of(3), "t": made(lambda rng, v: v.a1 + v.a2 + v.a3), "b": near("t", 0.75, 0.96)},
        {"saving": "separate = {a1} + {a2} + {a3}; answer = separate - {b}", "separate": "answer = {a1} + {a2} + {a3}"},
    ),
    "bundle_off": (
        "basket any",
        {"a1": price_of(1), "a2": price_of(2), "a3": price_of(3), "c": voucher(2, 12)},
        {"price": "separate = {a1} + {a2} + {a3}; answer = separate - {c}", "two": "answer = {a1} + {a3}"},
    ),
    "bundle_pct": (
        "basket any",
        {"a1": price_of(1), "a2": price_of(2), "r": percent(*OFF[:8])},
        {"price": "separate = {a1} + {a2}; answer = separate * (1 - {r})", "saved": "separate = {a1} + {a2}; answer = separate * {r}"},
    ),
    "n_for_m": (
        "small",
        {"n": count(3, 8), "m": made(lambda rng, v: max(2, v.n - rng.choice((1, 1, 2))), "count"), "p": price},
        {"pay": "answer = {m} * {p}", "free": "free = {n} - {m}; answer = free * {p}", "full": "answer = {n} * {p}"},
    ),
    "cheapest_free": (
        "basket any",
        {"a": price_of(1), "b": price_of(2), "c": price_of(3)},
        {"pay": _two_dearest, "full": "answer = {a} + {b} + {c}"},
    ),
    "second": (
        "mid",
        {"p": price, "r": percent(*OFF[1:])},
        {"pay": f"second = {SALE}; answer = {{p}} + second", "second": f"answer = {SALE}", "saved": "answer = {p} * {r}"},
    ),
    "tier": (
        "small",
        {"h": pick(5, 6, 8, 10, 12, 15, 20), "n": count(3, 30), "p1": price, "p2": near("p1", 0.7, 0.93)},
        {"cost": _tier(False), "saved": _tier(True)},
    ),
    "restock": (
        "big",
        {"p": price, "r": percent(*FEE), "c": money(5, 35)},
        {"refund": "fee = {p} * {r}; answer = {p} - fee - {c}", "kept": "fee = {p} * {r}; answer = fee + {c}", "fee": "answer = {p} * {r}"},
    ),
    "restock_ship": (
        "mid",
        {"p": price, "r": percent(*FEE), "s": money(3, 12)},
        {"refund": "fee = {p} * {r}; answer = {p} - fee", "paid": "answer = {p} + {s}", "fee": "answer = {p} * {r}"},
    ),
    "vat": (
        "mid",
        {"n": count(2, 12), "p": price, "r": percent(*TAX)},
        {
            "gross": "net = {n} * {p}; tax = net * {r}; answer = net + tax",
            "tax": "net = {n} * {p}; answer = net * {r}",
            "net": "answer = {n} * {p}",
        },
    ),
    "vat_rev": (
        "mid",
        {"p": price, "r": percent(*TAX), "g": made(lambda rng, v: v.p * (1 + v.r))},
        {"net": "answer = {g} / (1 + {r})", "tax": "net = {g} / (1 + {r}); answer = {g} - net"},
    ),
    "allowance": (
        "small",
        {"n": count(4, 12), "k": part("n"), "p": price, "r": percent(10, 15, 20, 25, 30, 40, 50)},
        {
            "back": "affected = {k} * {p}; answer = affected * {r}",
            "bill": "answer = {n} * {p}",
            "final": "bill = {n} * {p}; affected = {k} * {p}; allowance = affected * {r}; answer = bill - allowance",
        },
    ),
    "exchange": (
        "basket small",
        {"k": count(2, 6), "p": price, "b": money(15, 140)},
        {
            "top": "credit = {k} * {p}; answer = {b} - credit",
            "back": "credit = {k} * {p}; answer = credit - {b}",
            "credit": "answer = {k} * {p}",
        },
    ),
    "exchange_one": ("basket mid", {"a": price, "b": near("a", 0.6, 1.7)}, {"top": "answer = {b} - {a}", "back": "answer = {a} - {b}"}),
    "cancel_line": (
        "small",
        {"n": count(2, 8), "p": price, "s": money(3, 9), "x": money(15, 120), "t": made(lambda rng, v: v.n * v.p + v.s + v.x)},
        {"left": "removed = {n} * {p}; answer = {t} - removed", "refund": "answer = {n} * {p}"},
    ),
    "visit": (
        "big",
        {"c": money(12, 45), "p": money(22, 65), "h": count(2, 7), "d": voucher(20, 60)},
        {
            "bill": "labour = {h} * {p}; answer = {c} + labour",
            "due": "labour = {h} * {p}; bill = {c} + labour; answer = bill - {d}",
            "labour": "answer = {h} * {p}",
        },
    ),
    "budget": (
        "basket small",
        {"a": price, "n": count(2, 8), "p": price, "t": made(lambda rng, v: v.a + v.n * v.p), "b": near("t", 0.6, 1.7, 5)},
        {
            "left": "spend = {a} + {n} * {p}; answer = {b} - spend",
            "short": "spend = {a} + {n} * {p}; answer = spend - {b}",
            "spend": "answer = {a} + {n} * {p}",
        },
    ),
    "weeks": (
        "big",
        {"w": count(2, 6), "d": count(2, 6), "p": money(2, 25)},
        {"total": "days = 7 * {w} + {d}; answer = days * {p}", "weeks": "days = 7 * {w}; answer = days * {p}"},
    ),
    "free_days": (
        "big",
        {"g": count(2, 10), "x": count(3, 25), "n": made(lambda rng, v: v.g + v.x, "count"), "p": money(0.8, 8)},
        {"fee": "paid_days = {n} - {g}; answer = paid_days * {p}", "all": "answer = {n} * {p}"},
    ),
    "missing": (
        "set",
        {"n": count(4, 24), "k": part("n", most=6), "u": money(1, 12), "t": TOTAL},
        {
            "refund": "unit_price = {t} / {n}; answer = {k} * unit_price",
            "each": "answer = {t} / {n}",
            "kept": "unit_price = {t} / {n}; arrived = {n} - {k}; answer = arrived * unit_price",
        },
    ),
    "warranty": (
        "mid",
        {"y": pick(12, 18, 24, 24, 36, 48, 60), "m": part("y", 3), "u": money(1.5, 12), "p": made(lambda rng, v: v.y * v.u)},
        {
            "refund": "per_month = {p} / {y}; months_left = {y} - {m}; answer = per_month * months_left",
            "month": "answer = {p} / {y}",
            "used": "per_month = {p} / {y}; answer = per_month * {m}",
        },
    ),
    "duty": (
        "big",
        {"a": voucher(20, 150), "p": price, "r": percent(3, 4, 5, 6, 8, 10, 12, 15), "s": money(4, 20)},
        {
            "duty": "excess = {p} - {a}; answer = excess * {r}",
            "total": "excess = {p} - {a}; duty = excess * {r}; answer = {p} + duty + {s}",
            "extras": "excess = {p} - {a}; duty = excess * {r}; answer = duty + {s}",
        },
    ),
    "cashback": (
        "mid",
        {"p": price, "r": percent(5, 8, 10, 12, 15, 20), "x": made(lambda rng, v: v.p * v.r), "cap": near("x", 0.5, 2.2, 1)},
        {"net": _capped(True), "cash": _capped(False)},
    ),
    "member": (
        "small",
        {"f": money(10, 45), "r": percent(5, 8, 10, 12, 15, 20), "p": money(150, 900)},
        {
            "gain": "discount = {p} * {r}; answer = discount - {f}",
            "discount": "answer = {p} * {r}",
            "spend": f"reduced = {SALE}; answer = reduced + {{f}}",
        },
    ),
    "seller": (
        "small",
        {"n": count(3, 20), "p": price, "r": percent(*FEE), "f": money(1, 7)},
        {
            "payout": "sales = {n} * {p}; commission = sales * {r}; answer = sales - commission - {f}",
            "commission": "sales = {n} * {p}; answer = sales * {r}",
            "sales": "answer = {n} * {p}",
        },
    ),
    "trade_in": (
        "big",
        {"p": price, "v": near("p", 0.15, 0.5), "r": percent(5, 10, 15, 20, 25, 30, 40, 50)},
        {"pay": "credit = {v} * (1 - {r}); answer = {p} - credit", "credit": "answer = {v} * (1 - {r})"},
    ),
    "late_comp": (
        "mid",
        {"p": price, "k": count(2, 9), "c": money(0.8, 5)},
        {"net": "compensation = {k} * {c}; answer = {p} - compensation", "comp": "answer = {k} * {c}"},
    ),
}
# Families in which an amount or a count of some other thing could be taken for a part of the problem.
NO_MONEY_ASIDE = {
    "match",
    "match_ship",
    "match_beat",
    "match_double",
    "fx_compare",
    "exchange_one",
    "exchange",
    "cheapest_free",
    "member",
    "fx",
    "fx_inverse",
    "fx_fee",
    "fx_pct",
    "fx_qty",
    "fx_budget",
}
NO_COUNT_ASIDE = {"split", "split_voucher", "split_own", "split_others", "late_grace", "warranty", "by_weight"}


# Writing numbers and sentences.


def _style(rng) -> Style:
    """Choose the currency and the habits of one writer."""
    word = rng.choice(("euros", "euros", "dollars", "pounds", "francs"))
    code = rng.choice(("EUR ", "EUR ", "USD ", "GBP ", "CHF ", "$", "$", "$"))
    mode = rng.choices(("bare", "before", "word", "once"), (50, 25, 10, 15))[0]
    scale = 1
    if mode in ("word", "once") and rng.random() < 0.15:
        word, scale = rng.choice(("kronor", "kroner")), 10
    habit = rng.choices(("%", " percent", " per cent"), (76, 14, 10))[0]
    return Style(code if mode == "before" else word, mode, scale, scale > 1 or rng.random() < 0.25, rng.random() < 0.3, habit)


def _literal(number: Number, style: Style) -> str:
    """The number as the calculator gets it: as in the text, percentages as shares, words as digits."""
    value = number.value
    if number.kind == "count":
        return str(int(value))
    if number.kind == "percent":
        return f"{float(value) / 100:.3f}" if value.denominator > 1 else f"{float(value) / 100:.2f}"
    if number.kind == "rate":
        return f"{float(value):.3f}" if (value * 100).denominator > 1 else f"{float(value):.2f}"
    cents = int(value * 100)
    return str(cents // 100) if style.whole and cents % 100 == 0 else f"{cents // 100}.{cents % 100:02d}"


def _money_text(amount: str, mark: str, style: Style) -> str:
    """An amount with its currency; the mark "#" means without, "-" means before a noun."""
    if mark == "#" or style.mode == "bare":
        return amount
    if style.mode == "before":
        return style.affix + amount
    if style.mode == "once" and style.seen:
        return amount
    style.seen.add("currency")
    return f"{amount} {style.affix.removesuffix('s') if mark == '-' or amount == '1' else style.affix}"


def _count_text(amount: int, mark: str, style: Style, before: str, rng) -> str:
    """A count in digits, or in words for writers who do that."""
    if mark == "#" or not style.words or amount not in WORDS:
        return str(amount)
    if amount == 12 and not re.search(r"\b(the|my|our|all|these|of|full|paid|every|to) $", before) and rng.random() < 0.6:
        return "a dozen"
    return WORDS[amount]


def _number_text(number: Number, mark: str, style: Style, before: str, rng) -> str:
    """A number as the customer writes it."""
    if number.kind == "count":
        return _count_text(int(number.value), mark, style, before, rng)
    if number.kind == "percent":
        if mark == "~" and number.value in PARTS and rng.random() < 0.4:
            return PARTS[int(number.value)]
        return f"{int(number.value) if number.value.denominator == 1 else float(number.value)}{style.percent}"
    amount = _literal(number, style)
    return amount if number.kind == "rate" else _money_text(amount, mark, style)


def _choose(rng, text: str) -> str:
    """Resolve the [this|that] choices of a fragment."""
    return re.sub(r"\[([^\]]*)\]", lambda match: rng.choice(match.group(1).split("|")), text)


def _fill(rng, text: str, v: dict, style: Style) -> str:
    """Put numbers and names into the {slots} of a fragment."""
    chosen = _choose(rng, text)

    def put(match):
        value = v[match.group(1)]
        return _number_text(value, match.group(2), style, chosen[: match.start()], rng) if isinstance(value, Number) else str(value)

    return re.sub(r"\{(\w+)([#~-]?)\}", put, chosen)


def _polish(rng, text: str, lower: bool) -> str:
    """Articles, capitals and spacing; some writers use no capitals."""
    text = re.sub(r"\bfor (7|seven) days\b", lambda m: "for a week" if rng.random() < 0.3 else m.group(), text)
    text = re.sub(r"\bfor 14 days\b", lambda m: "for a fortnight" if rng.random() < 0.5 else m.group(), text)
    text = re.sub(r"\b([Aa]) (?=(?!uni|uku|use|eu|one|USD|EUR)[aeiouAEIOU]|\$?(?:11|18|8\d{0,2})\b)", r"\1n ", text)
    if lower:
        return text.lower().replace("'", "")
    return re.sub(r"(^|[.?!] )([a-z])", lambda match: match.group(1) + match.group(2).upper(), text)


def _voiced(lines: list[str], voices: str) -> list[str]:
    """The fragments of some voices, with @pool entries replaced by the pool."""
    every = [line for entry in lines for line in (FRAGMENTS["pools"][entry[1:]] if entry[0] == "@" else [entry])]
    return [line[2:] for line in every if line[0] in voices]


def _extras(rng, v: dict) -> None:
    """Names and numbers for the asides: none of them is part of the problem."""
    v["name"], v["month"], v["day"] = rng.choice(FRAGMENTS["names"]), rng.choice(FRAGMENTS["months"]), rng.randint(2, 28)
    v["ord"], v["few"], v["some"], v["age"], v["year"] = (
        rng.randint(10000, 99999),
        rng.randint(3, 9),
        rng.randint(3, 48),
        rng.randint(61, 88),
        rng.randint(2009, 2024),
    )
    v["other_price"] = money(8, 120)(rng, v)
    v["plan"], v["hire"], v["bulk"], v["metre"] = (
        _plural(rng.choice(FRAGMENTS["goods"][group]))[0] for group in ("plan", "hire", "bulk", "metre")
    )


# Putting a row together.


def _draw(rng, family: str, style: Style) -> dict:
    """Draw the goods and numbers of a family."""
    group, slots, _ = FAMILIES[family]
    v = {"scale": style.scale}
    _extras(rng, v)
    if group.startswith("basket"):
        basket(rng, v, group.split()[1])
    else:
        goods(rng, v, group if group != "plan" else "mid")
    mine = {v[name] for name in ("item", "i1", "i2", "i3") if name in v}
    v["other"] = rng.choice([one for one in (_plural(entry)[0] for entry in FRAGMENTS["goods"]["mid"]) if one not in mine])
    for name, draw in slots.items():
        v[name] = draw(rng, v)
    return v


def run(steps: str) -> dict[str, Fraction]:
    """Execute steps exactly; gives every named value."""
    values = {"__builtins__": {}, "F": Fraction}
    for step in steps.split("; "):
        name, expression = step.split(" = ")
        values[name] = eval(re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)", r"F('\1')", expression), values)
    return {name: value for name, value in values.items() if name not in ("__builtins__", "F")}


def _exact(v: dict, results: dict) -> bool:
    """All money in whole cents and above zero, and no two numbers alike (the text would not say which one is meant)."""
    numbers = [number for name, number in v.items() if isinstance(number, Number) and name not in ("kept", "x1", "x2")]
    if any(number.value <= 0 or number.kind == "money" and (number.value * 100).denominator > 1 for number in numbers):
        return False
    money_values = [number.value for number in numbers if number.kind == "money"]
    if len(set(money_values)) < len(money_values):
        return False
    return (
        all(value > 0 or name == "shipping" for name, value in results.items())
        and all((value * 100).denominator == 1 for value in results.values())
        and results["answer"] >= Fraction(1, 10)
    )


def _written(steps: str, v: dict, style: Style) -> str:
    """Steps with the numbers in place of their slots."""
    return re.sub(r"\{(\w+)\}", lambda match: _literal(v[match.group(1)], style), steps)


def _problem(rng, family: str, kind: str) -> tuple[dict, Style, str, Fraction]:
    """Draw until the steps of a kind give clean numbers."""
    while True:
        style = _style(rng)
        if family.startswith("fx"):
            style.mode, style.scale = "bare", 1
        v = _draw(rng, family, style)
        steps = FAMILIES[family][2][kind]
        steps = steps(v) if callable(steps) else steps
        if steps is None:
            continue
        steps = _written(steps, v, style)
        results = run(steps)
        if _exact(v, results):
            return v, style, steps, results["answer"]


def _aside(rng, family: str, voices: str) -> str:
    """A remark with numbers that do not matter."""
    groups = ["ref", "count", "money"]
    if family in NO_MONEY_ASIDE:
        groups.remove("money")
    if family in NO_COUNT_ASIDE:
        groups.remove("count")
    return rng.choice(_voiced(FRAGMENTS["asides"][rng.choice(groups)], voices))


def _text(rng, family: str, kind: str, v: dict, style: Style, steps: str) -> tuple[str, bool]:
    """The customer's message: facts and question in either order, perhaps with a greeting, an aside and a closing.

    Also says whether the message has numbers that do not enter into the steps.
    """
    lines = FRAGMENTS["families"][family]
    voice, fact = rng.choice(lines["facts"]).split(":", 1)
    ask = rng.choice(_voiced(lines["asks"][kind], voice + "x"))
    pieces = [fact if fact[-1] in ".?!" else fact + "."]
    used = re.findall(r"[\d.]+", steps)
    idle = any(
        slot in OUTSIDE or isinstance(v[slot], Number) and _literal(v[slot], style) not in used for slot in re.findall(r"\{(\w+)", fact)
    )
    if rng.random() < ASIDE_RATES[idle]:
        pieces.insert(rng.choice((0, 1, 1)), _aside(rng, family, voice + "x"))
        idle = True
    # A question marked ">" needs the facts before it.
    if ask[0] != ">" and rng.random() < 0.25:
        pieces.insert(0, ask if ask[-1] in "?.!" else ask + "?")
    else:
        pieces.append(ask.removeprefix(">"))
        if ask[-1] not in ".?!" and rng.random() < 0.5:
            pieces[-1] += "?"
    if rng.random() < 0.12:
        pieces.insert(0, rng.choice(_voiced(FRAGMENTS["openers"], voice + "x")))
    if rng.random() < 0.08:
        pieces[-1] += "" if pieces[-1][-1] in ".?!" else "."
        pieces.append(rng.choice(_voiced(FRAGMENTS["closers"], voice + "x")))
    careless = fact[0].islower() and rng.random() < 0.8 or rng.random() < 0.05
    return _polish(rng, " ".join(_fill(rng, piece, v, style) for piece in pieces), careless), idle


def kinds_by_length() -> dict[int, list[tuple[str, str]]]:
    """All kinds by the number of steps of their solution (a kind with a condition counts as two).

    The first kind of a family, its usual question, is there twice.
    """
    lengths: dict[int, list] = {}
    for family, (_, _, kinds) in FAMILIES.items():
        for kind, steps in kinds.items():
            lengths.setdefault(2 if callable(steps) else steps.count(";") + 1, []).extend(
                [(family, kind)] * (2 if kind == list(kinds)[0] else 1)
            )
    return lengths


def make(rng) -> dict:
    """One row, with its family and kind for the checks."""
    lengths = kinds_by_length()
    while True:
        family, kind = rng.choice(lengths[rng.choices(list(SHARES), list(SHARES.values()))[0]])
        v, style, steps, answer = _problem(rng, family, kind)
        text, idle = _text(rng, family, kind, v, style, steps)
        # Many questions leave numbers of their facts unused; without this, more than half of the rows would have some.
        if LENGTHS[0] <= len(text) <= LENGTHS[1] and not (idle and not callable(FAMILIES[family][2][kind]) and rng.random() < IDLE_DROPPED):
            break
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": steps}]
    label = {1: "1 step", 2: "2 steps"}.get(steps.count(";") + 1, "3 or more")
    return {"messages": messages, "label": label, "family": family, "kind": kind}


def generate(count: int, seed: int = 0) -> list[dict]:
    """`count` different rows; the same seed gives the same list."""
    rng = random.Random(seed)
    rows, seen = [], set()
    while len(rows) < count:
        row = make(rng)
        text = row["messages"][0]["content"]
        if text in seen:
            continue
        seen.add(text)
        rows.append({"messages": row["messages"], "label": row["label"]})
    return rows


if __name__ == "__main__":
    for line in generate(int(sys.argv[1]) if len(sys.argv) > 1 else 10):
        print(json.dumps(line))
