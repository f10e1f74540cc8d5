"""The small reference figures that are committed beside the notebooks, drawn from the record."""

from . import answers, audit, plots, quality, record
from .pipeline import Lab
from .profile import ROOT

IMAGES = ROOT / "notebooks" / "images"


def draw_part(task: str, part: str) -> None:
    """Write the reference figure of a part beside the core."""
    table = record.part(part, task)
    plots.faults_figure(table, list(quality.RATES)).savefig(IMAGES / "faults.png", dpi=90)


def draw(lab: Lab) -> None:
    """Write every reference figure of a task's record; the alt texts stand in README and notebooks."""
    images = IMAGES if lab.task.name == "conversation" else record.folder(lab.task.name)  # the notebooks show the first task's
    images.mkdir(exist_ok=True)
    lengths = {split: [len(audit.words(example.text)) for example in examples] for split, examples in lab.corpus.items()}
    teacher = record.value("teacher", "main", lab.task.name)
    figures = {
        record.folder(lab.task.name) / "accuracy.png": plots.accuracy_bars(record.results(lab.task.name)),
        images / "message_lengths.png": plots.message_lengths(lengths),
        images / "confidence.png": plots.confidence_against_accuracy(answers.checked(lab), lab.min_confidence),
        images / "layers.png": plots.layers_figure(record.curve("layers", lab.task.name), teacher),
        images / "sizes.png": plots.size_figure(record.curve("sizes", lab.task.name), teacher),
    }
    for path, figure in figures.items():
        figure.savefig(path, dpi=90)
