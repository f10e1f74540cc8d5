"""One file of somebody's own becomes four splits; files of many shapes, and what a bad one says."""

import csv
import json
import tracemalloc

import pandas as pd
import pytest
from typer.testing import CliRunner

from labutils.__main__ import app
from labutils.data import DataError, load_corpus, read_jsonl
from labutils.own_data import MOST, NO_REPLY, Columns, make_corpus, read_rows
from labutils.profile import load_profile
from labutils.tasks import get_task

NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()


def rows(labels=("lend", "pay", "join"), each=8, unlabelled=10) -> list[dict]:
    """Different texts (numbers in words, for digits are folded), each label equally often, then prompts without one."""
    texts = [f"{one} and {two}" for one in NUMBERS for two in NUMBERS]
    made = [{"text": texts.pop(), "label": label, "reply": f"We {label} it."} for _ in range(each) for label in labels]
    return made + [{"text": texts.pop(), "label": "", "reply": ""} for _ in range(unlabelled)]


def write_csv(path, table: list[dict], separator=",", encoding="utf-8"):
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, table[0], delimiter=separator)
        writer.writeheader()
        writer.writerows(table)
    return path


def splits(folder) -> dict:
    return {split: read_jsonl(folder / f"{split}.jsonl", split != "pool") for split in ("train", "validation", "test", "pool")}


def test_each_label_has_the_same_share_in_each_split_and_every_row_one_place(tmp_path):
    table = rows()
    counts = make_corpus(write_csv(tmp_path / "mine.csv", table), tmp_path / "out")
    corpus = splits(tmp_path / "out")
    assert {split: len(examples) for split, examples in corpus.items()} == counts.to_dict() == {
        "train": 15, "validation": 3, "test": 6, "pool": 10,
    }
    for split, each in (("train", 5), ("validation", 1), ("test", 2)):
        assert pd.Series([e.label for e in corpus[split]]).value_counts().tolist() == [each] * 3
    assert sorted(e.text for part in corpus.values() for e in part) == sorted(row["text"] for row in table)
    assert all(e.reply == f"We {e.label} it." for e in corpus["test"]) and all(e.label is None for e in corpus["pool"])


def test_without_prompts_half_of_the_training_rows_give_up_their_labels(tmp_path):
    counts = make_corpus(write_csv(tmp_path / "mine.csv", rows(unlabelled=0)), tmp_path / "out")
    assert counts.to_dict() == {"train": 9, "validation": 3, "test": 6, "pool": 6}
    gold = pd.read_csv(tmp_path / "out" / "pool_gold.csv").set_index("id")["label"]
    told = {row["text"]: row["label"] for row in rows(unlabelled=0)}
    assert {e.id: told[e.text] for e in splits(tmp_path / "out")["pool"]} == gold.to_dict()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_marks_quotes_and_lines_within_a_text(tmp_path, separator):
    table = rows()
    table[0]["text"] = 'She said "no",\nand; left\tearly'
    path = write_csv(tmp_path / "mine.csv", table, separator, "utf-8-sig")
    assert [row for _, row in read_rows(path)] == table
    assert [number for number, _ in read_rows(path)][:3] == [2, 4, 5]


def test_jsonl_csv_and_other_names_give_the_same_corpus(tmp_path):
    table = [{"message": row["text"], "topic": row["label"] or None, "answer": row["reply"]} for row in rows()]
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in table), encoding="utf-8-sig")
    make_corpus(path, tmp_path / "json", Columns("message", "topic", "answer"))
    make_corpus(write_csv(tmp_path / "mine.csv", rows()), tmp_path / "csv")
    assert splits(tmp_path / "json") == splits(tmp_path / "csv")


def test_copies_stand_once_and_are_counted(tmp_path):
    table = rows()
    table += [{**table[0], "text": table[0]["text"].upper() + "!"}, {**table[1], "label": "lend"}, {**table[2], "text": " "}]
    counts = make_corpus(write_csv(tmp_path / "mine.csv", table), tmp_path / "out")
    assert counts["left out: a copy"] == counts["left out: a copy with another label"] == counts["left out: no text"] == 1
    assert counts[["train", "validation", "test", "pool"]].sum() == len(rows())


def test_labels_alone_are_enough(tmp_path):
    table = [{"text": row["text"], "label": row["label"]} for row in rows()]
    make_corpus(write_csv(tmp_path / "mine.csv", table), tmp_path / "out", Columns(reply=None))
    train = splits(tmp_path / "out")["train"]
    task = get_task("conversation", train)
    assert {e.reply for e in train} == {NO_REPLY}
    assert [task.verify(task.parse(task.gold(e)), e) for e in train] == [[]] * len(train)


def test_of_copies_the_one_with_a_label_stays(tmp_path):
    table = rows()
    table += [{"text": table[0]["text"], "label": "", "reply": ""}, {**table[-1], "label": "pay", "reply": "We pay."}]
    counts = make_corpus(write_csv(tmp_path / "mine.csv", table), tmp_path / "out")
    assert counts["left out: a copy"] == 2 and counts["pool"] == 9 and counts[["train", "validation", "test"]].sum() == 25


def test_texts_without_words_are_not_copies_of_one_another(tmp_path):
    table = [*rows(), *({"text": text, "label": "", "reply": ""} for text in ("???", "!", "\U0001f600", "\U0001f622"))]
    assert make_corpus(write_csv(tmp_path / "mine.csv", table), tmp_path / "out")["pool"] == 14


@pytest.mark.parametrize("labels", [3, 60])
def test_many_labels_other_scripts_and_long_texts(tmp_path, labels):
    table = [
        {"text": f"{'Wo bleibt es? 包裹在哪里 ' * 60}{chr(0x4E00 + 97 * number + place)}", "label": f"Fach {number}", "reply": "Es kommt."}
        for number in range(labels) for place in range(8)
    ]
    make_corpus(write_csv(tmp_path / "mine.csv", table), tmp_path / "data" / "conversation")
    corpus = splits(tmp_path / "data" / "conversation")
    for split in ("train", "validation", "test"):
        assert len({e.label for e in corpus[split]}) == labels


def test_a_hundred_thousand_rows_are_streamed(tmp_path):
    with (tmp_path / "big.csv").open("w", encoding="utf-8") as file:
        file.write("text,label,reply\n")
        for number in range(100_000):
            word = "".join(chr(97 + number // 26**place % 26) for place in range(4))
            file.write(f"{'parcel' * 70}{word},{('late', 'lost', 'fine')[number % 3] if number % 5 == 0 else ''},Sorry for that.\n")
    size = (tmp_path / "big.csv").stat().st_size
    tracemalloc.start()
    counts = make_corpus(tmp_path / "big.csv", tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counts.sum() == 100_000 and counts["train"] == MOST["train"] and counts["test"] == MOST["test"]
    assert peak < size / 2  # the texts themselves are never held


BAD = {
    "no such column": ("text,topic\nhi there,lend\n", "line 2, field 'label'.*found text, topic; `Columns` names yours"),
    "no replies": ("text,label\nhi there,lend\n", "line 2, field 'reply'.*found text, label; .* or reply=None"),
    "no header": ("\ntext,label,reply\na b,lend,c d\n", "line 1, .*different column names"),
    "two equal names": ("text,label,label\na b,lend,c d\n", "line 1, .*different column names .* found 'text,label,label'"),
    "old line ends": ("text,label,reply\ra b,lend,c d\r", "line 1, .*separated by ',', but "),
    "label with a bar": ("text,label,reply\na b,x|y,c d\n", "line 2, field 'label'.*plain text without"),
    "label that is a dash": ("text,label,reply\na b,-,c d\n", "line 2, field 'label'.*and not '-'"),
    "too few fields": ("text,label,reply\na b,lend,c d\na b,lend\n", "line 3, .*3 fields .text, label, reply., found 2"),
    "too many fields": ("text,label,reply\na, b,lend,c d\n", "line 2, .*found 4; text that holds ',' needs quotes"),
    "open quote": ('text,label,reply\n"a b,lend,c d\n', "line 2, .*separated by ',', but unexpected end of data; is a quote"),
    "label without reply": ("text,label,reply\na b,lend,\n", "line 2, field 'reply': expected a reply"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_names_line_field_and_fix_and_leaves_nothing(tmp_path, kind):
    text, message = BAD[kind]
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        make_corpus(path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [path]


def test_another_encoding_and_broken_json_name_the_line(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes("text,label\nfür mich,lend\n".encode("cp1252"))
    with pytest.raises(DataError, match="line 2, .*byte 2 is not UTF-8"):
        make_corpus(path, tmp_path / "out")
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "a"}\n{"text": \n', encoding="utf-8")
    with pytest.raises(DataError, match="line 2, .*one JSON object"):
        list(read_rows(path))
    for line, found in (('[{"text": "a"}]', "found a list"), ('{"label": ["x", "y"]}', "field 'label'.*found .'x', 'y'")):
        path.write_text(line, encoding="utf-8")
        with pytest.raises(DataError, match=f"line 1, .*{found}"):
            list(read_rows(path))
    (tmp_path / "empty.csv").write_text("text,label,reply\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no rows in .*empty.csv"):
        make_corpus(tmp_path / "empty.csv", tmp_path / "out")


def test_labels_that_cannot_be_split_are_named(tmp_path):
    rare = [*rows(), {"text": "lonely", "label": "rare", "reply": "So rare."}]
    with pytest.raises(ValueError, match="Fewer than four rows have the label rare"):
        make_corpus(write_csv(tmp_path / "rare.csv", rare), tmp_path / "out")
    with pytest.raises(ValueError, match="1 label in the file"):
        make_corpus(write_csv(tmp_path / "one.csv", rows(labels=("lend",))), tmp_path / "out")


def test_the_command_writes_the_folder_that_lab_data_needs(tmp_path):
    path = write_csv(tmp_path / "mine.csv", rows())
    wrong = CliRunner().invoke(app, ["bring", str(path), "--out", str(tmp_path / "library")])
    assert wrong.exit_code and "must be called conversation" in wrong.output.replace("\n", " ")
    done = CliRunner().invoke(app, ["bring", str(path), "--out", str(tmp_path / "mine" / "conversation")])
    assert done.exit_code == 0 and f"LAB_DATA={tmp_path / 'mine'}" in done.output.replace("\n", "")
    assert len(splits(tmp_path / "mine" / "conversation")["test"]) == 6


def test_what_is_there_is_not_written_over(tmp_path):
    path = write_csv(tmp_path / "mine.csv", rows())
    make_corpus(path, tmp_path / "out")
    with pytest.raises(FileExistsError, match="out exists already"):
        make_corpus(path, tmp_path / "out")


def test_a_label_only_in_the_test_set_is_named(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "conversation"
    make_corpus(write_csv(tmp_path / "mine.csv", rows()), folder)
    path = folder / "test.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"label": "join"', '"label": "leave"'), encoding="utf-8")
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "data"))
    with pytest.raises(ValueError, match="No training example has the label leave"):
        load_corpus("conversation", load_profile("smoke"))
