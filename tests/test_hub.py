"""A Hugging Face dataset as corpus: `load_dataset` takes a folder in place of an id, so that all of it runs without a network."""

import json
import re

import datasets
import huggingface_hub.constants
import pytest

from labutils import audit
from labutils.data import SPLITS, DataError, data_dir, load_corpus
from labutils.origin import data_hash
from labutils.pipeline import Lab
from labutils.profile import ROOT, Profile

CARD = re.search(r"```yaml\n(.*?)```", (ROOT / "data" / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
WHOLE = Profile("own")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def hub(foreign_corpus, monkeypatch):
    """The foreign corpus as a dataset of four JSONL files and the card that the datasheet gives; LAB_DATA names it."""
    (foreign_corpus / "README.md").write_text(CARD, encoding="utf-8")
    monkeypatch.setenv("LAB_DATA", f"hub:{foreign_corpus}")
    return foreign_corpus


def rewrite(path, change):
    """Change every row of a JSONL file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(change(row)) + "\n" for row in rows), encoding="utf-8")


def without(*columns):
    return lambda row: {name: value for name, value in row.items() if name not in columns}


def test_a_dataset_of_jsonl_files_is_the_corpus_of_the_same_folder(hub, monkeypatch):
    fetched = load_corpus("conversation", WHOLE)
    monkeypatch.setenv("LAB_DATA", str(hub.parent))
    assert fetched == load_corpus("conversation", WHOLE)
    assert {split: len(examples) for split, examples in fetched.items()} == dict.fromkeys(SPLITS, 12)


def test_a_pushed_dataset_of_parquet_files_is_read_too(hub, tmp_path, monkeypatch):
    """`push_to_hub` names its files like this; the names alone tell the splits."""
    expected = load_corpus("conversation", WHOLE)
    for split in SPLITS:
        rows = [json.loads(line) for line in (hub / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
        (tmp_path / "pushed" / "data").mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_list(rows).to_parquet(tmp_path / "pushed" / "data" / f"{split}-00000-of-00001.parquet")
    monkeypatch.setenv("LAB_DATA", f"hub:{tmp_path / 'pushed'}")
    assert load_corpus("conversation", WHOLE) == expected


def test_labels_kept_as_class_numbers_are_read_by_name(hub, tmp_path, monkeypatch):
    """Most classification datasets on the hub keep a `ClassLabel`; -1 says that a row has none."""
    expected = load_corpus("conversation", WHOLE)
    classes = datasets.ClassLabel(names=["praise", "bug", "feature"])
    for split in SPLITS:
        rows = [json.loads(line) for line in (hub / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
        rows = [{**row, "label": -1 if split == "pool" else classes.str2int(row["label"])} for row in rows]
        (tmp_path / "classes" / "data").mkdir(parents=True, exist_ok=True)
        path = tmp_path / "classes" / "data" / f"{split}-00000-of-00001.parquet"
        datasets.Dataset.from_list(rows).cast_column("label", classes).to_parquet(path)
    monkeypatch.setenv("LAB_DATA", f"hub:{tmp_path / 'classes'}")
    corpus = load_corpus("conversation", WHOLE)
    assert {example.label for example in corpus.pop("pool")} == {None}
    assert corpus == {split: expected[split] for split in corpus}


def test_a_lab_is_prepared_from_it(hub):
    lab = Lab(Profile("smoke", gold=6, validation=3), "conversation", fresh=False)
    assert lab.shipped is None  # the shop's teacher must not serve it
    assert (lab.task.labels, lab.task.slots) == (("bug", "feature", "praise"), ("version",))
    assert [len(lab.corpus[split]) for split in SPLITS] == [6, 3, 12, 12]
    assert lab.task.gold(lab.corpus["test"][0]) == " bug | 4.0 | Thank you, noted."
    assert audit.audit(lab.corpus).loc[list(SPLITS), "messages"].tolist() == [6, 3, 12, 12]


def test_what_the_pool_lacks_is_filled_with_nulls_and_read(hub):
    """The pool's columns are those of the other splits, whatever its file holds."""
    for split in ("train", "validation", "test"):
        rewrite(hub / f"{split}.jsonl", lambda row: {**row, "source": "hand"})
    rewrite(hub / "pool.jsonl", without("label", "slots"))
    pool = load_corpus("conversation", WHOLE)["pool"]
    assert {(e.label, str(e.slots), e.source) for e in pool} == {(None, "{}", "hand")}


def test_it_is_fetched_once_and_kept(hub, monkeypatch):
    first = load_corpus("conversation", WHOLE)
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **options: pytest.fail("fetched again"))
    assert load_corpus("conversation", WHOLE) == first


def test_the_notebooks_find_its_files_and_the_provenance_its_hash(hub):
    rows = [json.loads(line) for line in (data_dir("conversation") / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == [f"train-{number}" for number in range(12)]
    before = data_hash("conversation")
    path = data_dir("conversation") / "test.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("Thank you", "Thanks"), encoding="utf-8")
    assert data_hash("conversation") != before


def test_a_fetch_that_breaks_off_leaves_nothing_behind(hub, monkeypatch):
    write, written = datasets.Dataset.to_json, []

    def breaks(dataset, path, **options):
        written.append(path)
        write(dataset, path, **options)
        if len(written) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(datasets.Dataset, "to_json", breaks)
    with pytest.raises(KeyboardInterrupt):
        load_corpus("conversation", WHOLE)
    monkeypatch.setattr(datasets.Dataset, "to_json", write)
    assert len(load_corpus("conversation", WHOLE)["pool"]) == 12


@pytest.mark.parametrize("name", ["nobody/nothing", "/nowhere/at/all"])
def test_an_id_that_cannot_be_had_is_named_with_what_to_do(name, monkeypatch):
    for module in (huggingface_hub.constants, datasets.config):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", True)  # else a missing network would be noticed only after many retries
    monkeypatch.setenv("LAB_DATA", f"hub:{name}")
    with pytest.raises(FileNotFoundError, match=rf"LAB_DATA names the dataset '{name}'.* none of that name.*hf auth login.*no network"):
        load_corpus("conversation", WHOLE)


def test_other_split_names_are_refused_with_those_that_were_found(hub):
    (hub / "README.md").write_text(CARD.replace("split: validation", "split: dev").replace("split: pool", "split: more"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"has no split validation, pool; it has train, dev, test, more\. .*data/README\.md"):
        load_corpus("conversation", WHOLE)


def test_without_a_card_the_pool_is_missed_by_name(hub):
    (hub / "README.md").unlink()
    with pytest.raises(ValueError, match=r"has no split pool; it has train, validation, test\."):
        load_corpus("conversation", WHOLE)


def test_missing_columns_are_named_with_those_that_were_found(hub):
    for split in SPLITS:
        rewrite(hub / f"{split}.jsonl", lambda row: {"text": row["messages"][0]["content"], **without("messages", "label", "task")(row)})
    with pytest.raises(ValueError, match=r"split train, has no column task, messages, label; it has text, id, slots\."):
        load_corpus("conversation", WHOLE)


def test_a_bad_row_is_named_by_line_and_field(hub):
    rewrite(hub / "train.jsonl", lambda row: {**row, "label": None if row["id"] == "train-4" else row["label"]})
    with pytest.raises(DataError, match=r"hub_data.*train\.jsonl, line 5, field 'label': expected a non-empty string"):
        load_corpus("conversation", WHOLE)


def test_a_runs_folder_serves_one_corpus(hub, monkeypatch):
    profile = Profile("smoke", gold=6)
    Lab(profile, "conversation")
    Lab(profile, "conversation")
    monkeypatch.delenv("LAB_DATA")
    with pytest.raises(ValueError, match="holds what was made from another corpus.*: delete it, or set LAB_RUNS"):
        Lab(profile, "conversation")
