"""Guards over what is in the repository: notebooks, links, figures, address, secrets, datasheet, and the record's provenance."""

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

from labutils import address, origin, teachers
from labutils.data import SPLITS, read_jsonl
from labutils.profile import load_profile
from labutils.tasks import get_task

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
README = ROOT / "README.md"
CORPUS = ROOT / "data" / "conversation"
RECORD = ROOT / "data" / "reference" / "conversation"
LONGEST_CELL = 25  # lines
WIDEST_CELL = 112  # characters: what JupyterLab shows on a laptop's screen beside its list of files

MARKDOWN_IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<target>[^)\s]+)[^)]*\)")
HTML_IMAGE = re.compile(r"<img\b[^>]*>")
# Written so that no pattern matches its own source.
FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"(?<![\w.~)*-])/(?:work|root|home)(?![\w-])|\b[A-Z]:\\+Users\b|/Users/\w"),
    "a package index": re.compile(r"pypi[.]org|pythonhosted[.]org|download[.]pytorch[.]org|npmjs[.]org|conda[.]anaconda[.]org"),
    "an index option": re.compile(r"--(?:extra-)?index[-]url|--find[-]links"),
    "a secret": re.compile(
        r"AKIA[0-9A-Z]{16}|\bsk-[\w-]{20,}|\bhf_[A-Za-z0-9]{30,}|\bgh[pousr]_[A-Za-z0-9]{30,}|-----BEGIN [A-Z ]*PRIVATE KEY"
        r"|(?i:api_?key|secret|token|passw(?:or)?d)[\"']?\s*[=:]\s*[\"'][\w+/-]{20,}[\"']"
    ),
}

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def images(text: str) -> list[tuple[str, str]]:
    """(alt text, target) of every image, in Markdown or HTML."""
    found = [(match["alt"], match["target"]) for match in MARKDOWN_IMAGE.finditer(text)]
    for tag in HTML_IMAGE.findall(text):
        attributes = dict(re.findall(r"(\w+)=[\"']([^\"']*)[\"']", tag))
        found.append((attributes.get("alt", ""), attributes.get("src", "")))
    return found


def image_faults(text: str, folder: Path) -> list[str]:
    """What is wrong with the images of a text that lies in `folder`; files of other sites are not asked for."""
    faults = []
    for alt, target in images(text):
        if len(alt.split()) < 3:
            faults.append(f"{target}: alt text {alt!r} says too little")
        if not target.startswith("https://") and not (folder / target).is_file():
            faults.append(f"{target}: no such file")
    return faults


def repository_files() -> list[Path]:
    """What is in git, or would be added by `git add .`."""
    if not (ROOT / ".git").exists():
        pytest.skip("Not a git checkout, so that nothing tells which files belong to the repository.")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def forbidden(text: str) -> list[str]:
    """Each forbidden thing in a text, with its kind."""
    return [f"{kind}: {match[0]}" for kind, pattern in FORBIDDEN.items() for match in pattern.finditer(text)]


# Notebooks


@each_notebook
def test_notebook_carries_no_outputs(path):
    left = [cell.id for cell in cells(path, "code") if cell.outputs or cell.execution_count is not None]
    assert not left, f"Strip {path.name} with nbstripout: outputs or execution counts in {left}"
    assert "widgets" not in nbformat.read(path, as_version=4).metadata, f"{path.name}: metadata.widgets breaks rendering elsewhere"


@each_notebook
def test_notebook_is_valid_and_its_ids_are_unique(path):
    raw = json.loads(path.read_text(encoding="utf-8"))
    ids = [cell.get("id") for cell in raw["cells"]]  # before nbformat sees them: it repairs ids silently
    assert None not in ids and len(ids) == len(set(ids))
    nbformat.validate(raw)


@each_notebook
def test_no_code_cell_is_long(path):
    long = {cell.id: len(cell.source.splitlines()) for cell in cells(path, "code")}
    assert not {name: lines for name, lines in long.items() if lines > LONGEST_CELL}


@each_notebook
def test_no_code_cell_is_wide(path):
    wide = {cell.id: line for cell in cells(path, "code") for line in cell.source.splitlines() if len(line) > WIDEST_CELL}
    assert not wide


def test_notebooks_are_numbered_in_order():
    assert [re.match(r"(\d\d)_[a-z]\w*$", path.stem)[1] for path in NOTEBOOKS] == [f"{place:02}" for place in range(len(NOTEBOOKS))]


# Links and figures


def test_readme_links_to_every_notebook_and_to_no_other():
    linked = set(re.findall(r"(?<![\w/])notebooks/(\w+\.ipynb)\)", README.read_text(encoding="utf-8")))
    assert linked == {path.name for path in NOTEBOOKS}


def test_relative_links_of_the_documents_lead_somewhere():
    for document in (README, ROOT / "CONTRIBUTING.md", ROOT / "data" / "README.md"):
        targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", document.read_text(encoding="utf-8"))
        lost = [target for target in targets if "://" not in target and not (document.parent / target).exists()]
        assert not lost, f"{document.name} links to what is not there"


def test_images_of_the_readme():
    text = README.read_text(encoding="utf-8")
    assert images(text)
    assert not image_faults(text, ROOT)


@each_notebook
def test_images_of_a_notebook(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    assert not image_faults(text, path.parent)


def test_an_image_without_file_or_alt_text_is_found(tmp_path):
    (tmp_path / "a.png").touch()
    assert image_faults("![three good words](a.png) ![](a.png)", tmp_path) == ["a.png: alt text '' says too little"]
    assert image_faults("![three good words](b.png)", tmp_path) == ["b.png: no such file"]
    assert len(image_faults('<img width="9" src="b.png">', tmp_path)) == 2


# The repository's address


def badges(text: str) -> list[str]:
    return re.findall(r"https://colab\.research\.google\.com/github/[^)\s\"]+", text)


def badge(path: Path) -> str:
    return f"https://colab.research.google.com/github/{address.REPOSITORY}/blob/{address.BRANCH}/notebooks/{path.name}"


@each_notebook
def test_notebook_has_its_own_badge_and_the_address(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    assert badges(text) == [badge(path)]
    setting = f'REPOSITORY, BRANCH = "{address.REPOSITORY}", "{address.BRANCH}"  # filled by python -m labutils address'
    assert setting in cells(path, "code")[0].source.splitlines()


def test_readme_has_a_badge_for_each_notebook():
    assert sorted(badges(README.read_text(encoding="utf-8"))) == sorted(badge(path) for path in NOTEBOOKS)


def test_setup_cells_are_identical():
    sources = {cells(path, "code")[0].source for path in NOTEBOOKS}
    assert len(sources) <= 1
    assert all(source.startswith("import pathlib\nimport subprocess\nimport sys\n") for source in sources)


def test_another_address_reaches_every_badge_and_setup_cell_and_comes_back(tmp_path, monkeypatch):
    shutil.copy(README, tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (tmp_path / "labutils").mkdir()
    shutil.copy(address.__file__, tmp_path / "labutils")
    monkeypatch.setattr(address, "ROOT", tmp_path)
    shown = [tmp_path / "README.md", *sorted((tmp_path / "notebooks").glob("*.ipynb"))]
    before = [path.read_text(encoding="utf-8") for path in shown]

    assert {path.name for path in shown} <= set(address.fill("some-one/distil.lab", "dev"))
    for path in shown:
        text = path.read_text(encoding="utf-8")
        assert address.REPOSITORY not in text
        assert all("/github/some-one/distil.lab/blob/dev/notebooks/" in link for link in badges(text))
    for path in shown[1:]:
        assert 'REPOSITORY, BRANCH = "some-one/distil.lab", "dev"' in cells(path, "code")[0].source

    address.fill(address.REPOSITORY, address.BRANCH)
    assert [path.read_text(encoding="utf-8") for path in shown] == before
    assert address.fill(address.REPOSITORY, address.BRANCH) == []


def test_a_malformed_address_is_refused():
    with pytest.raises(ValueError, match="OWNER/NAME"):
        address.fill("https://example.org/lab")


# What must not be in the repository


def test_no_machine_paths_indexes_or_secrets():
    found = {}
    for path in repository_files():
        try:
            problems = forbidden(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue  # a picture or weights
        if problems:
            found[path.relative_to(ROOT).as_posix()] = problems[:3]
    assert not found


PLANTED = [  # in two halves, so that this file does not set the guard off
    ("machine", "cd /wo" + "rk/main"),
    ("machine", "see /ho" + "me/ann/lab"),
    ("machine", "'/ro" + "ot'"),
    ("machine", '"C:\\\\Us' + 'ers\\\\ann"'),
    ("index", "https://py" + "pi.org/simple"),
    ("index", "--extra-index" + "-url x"),
    ("secret", "AKIA" + "A" * 16),
    ("secret", "sk-" + "a1" * 12),
    ("secret", 'api_key = "' + "a1" * 12 + '"'),
    ("secret", '"token": "' + "b" * 24 + '"'),
]


@pytest.mark.parametrize("kind, text", PLANTED)
def test_a_planted_one_is_found(kind, text):
    assert len(forbidden(f"first line\n{text}\n")) == 1
    assert kind in forbidden(text)[0]


HARMLESS = [".github/workflows/test.yml", "~/.cache/distillation-lab", "house/home and garden", '"pad_token": "<|im_end|>"']


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_alike_is_not(text):
    assert not forbidden(text)


def test_requirements_name_packages_only():
    for name in ("requirements.txt", "requirements-test.txt", "constraints.txt"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.startswith("-") or "://" in line or " @ " in line], name


def test_constraints_pin_every_requirement_within_its_range():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    def read(name):
        lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
        return [Requirement(line) for line in lines if line]

    pins = {}
    for pin in read("constraints.txt"):
        (specifier,) = pin.specifier
        assert specifier.operator == "==" and "+" not in specifier.version and "*" not in specifier.version
        pins[canonicalize_name(pin.name)] = specifier.version
    for requirement in read("requirements.txt") + read("requirements-test.txt"):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


# The datasheet


def test_the_datasheet_counts_what_is_there():
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for split in SPLITS:
        examples = read_jsonl(CORPUS / f"{split}.jsonl", labelled=split != "pool")
        hand = sum(example.source == "hand" for example in examples)
        assert f"| `{split}.jsonl` | {len(examples):,} | {hand:,} | {len(examples) - hand:,} |" in text


def test_the_datasheet_example_is_a_row_of_the_corpus():
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    shown = json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])
    lines = (CORPUS / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert shown in map(json.loads, lines)


def test_second_labels_agree_as_the_datasheet_says():
    with (CORPUS / "second_labels.csv").open(encoding="utf-8", newline="") as file:
        second = {row["id"]: row["label"] for row in csv.DictReader(file)}
    gold = {e.id: e.label for split in ("train", "validation", "test") for e in read_jsonl(CORPUS / f"{split}.jsonl")}
    assert second.keys() == gold.keys()
    share = sum(second[key] == label for key, label in gold.items()) / len(gold)
    assert share >= 0.95
    assert f"{share:.1%} of {len(gold):,} messages" in (ROOT / "data" / "README.md").read_text(encoding="utf-8")


def test_intended_intents_cover_the_pool_and_are_known():
    with (CORPUS / "pool_gold.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [example.id for example in read_jsonl(CORPUS / "pool.jsonl", labelled=False)]
    assert {row["label"] for row in rows} == {example.label for example in read_jsonl(CORPUS / "train.jsonl")}


# The record


@pytest.fixture
def provenance() -> dict:
    path = RECORD / "provenance.json"
    if not path.exists():
        pytest.skip("No record is shipped yet: make it with `python -m labutils reference`.")
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_record_was_made_from_this_data(provenance):
    assert provenance["data"] == origin.data_hash("conversation"), "The corpus changed: run `python -m labutils reference` again."


def test_the_record_was_made_by_this_recipe(provenance):
    from labutils import reference

    stale = "Profile, recipes or prompts changed: run `python -m labutils reference` again."
    assert provenance["recipe"] == reference.recipe_hash(load_profile("full"), get_task("conversation", [])), stale


def test_the_quality_experiments_were_made_from_this_data_recipe_and_teacher():
    from labutils import adapter, reference

    made = json.loads((RECORD / "quality.json").read_text(encoding="utf-8"))
    stale = "Data, recipes or teacher changed: run `python -m labutils reference --part quality` again."
    assert made["data"] == origin.data_hash("conversation"), stale
    assert made["recipe"] == reference.recipe_hash(load_profile("full"), get_task("conversation", []), "quality"), stale
    assert made["adapter"] == adapter.short_hash(RECORD / "teacher"), stale


def test_another_recipe_has_another_hash():
    import dataclasses

    from labutils import reference

    full = load_profile("full")
    task, other = get_task("conversation", []), get_task("nli", [])
    assert reference.recipe_hash(full, task) == reference.recipe_hash(load_profile("full"), task)
    assert reference.recipe_hash(full, task) != reference.recipe_hash(dataclasses.replace(full, learning_rate=2e-4), task)
    assert reference.recipe_hash(full, task) != reference.recipe_hash(full, other)


def test_data_hash_sees_a_changed_letter_but_not_line_ends(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    file = tmp_path / "conversation" / "train.jsonl"
    file.parent.mkdir()
    file.write_bytes(b'{"a": 1}\n{"b": 2}\n')
    first = origin.data_hash("conversation")
    file.write_bytes(b'{"a": 1}\r\n{"b": 2}\r\n')
    assert origin.data_hash("conversation") == first
    file.write_bytes(b'{"a": 1}\n{"b": 3}\n')
    assert origin.data_hash("conversation") != first


def test_every_shipped_answer_belongs_to_its_prompt():
    path = RECORD / "teacher_answers.jsonl"
    if not path.exists():
        pytest.skip("No teacher answers are shipped yet: make them with `python -m labutils reference`.")
    task = get_task("conversation", read_jsonl(CORPUS / "train.jsonl"))
    prompts = {example.id: task.prompt(example) for example in read_jsonl(CORPUS / "pool.jsonl", labelled=False)}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    wrong = [row["id"] for row in rows if row["key"] != teachers.answer_key(prompts[row["id"]])]
    assert not wrong, f"{len(wrong)} answers were given to other prompts, for example {wrong[:3]}"
    assert {row["id"] for row in rows} == prompts.keys(), "The shipped answers must cover the whole pool."
