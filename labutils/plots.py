"""Every figure of the lab: one function each, data in, a matplotlib Figure out; `alt_text(figure)` says what it shows."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

COLOURS = {
    "teacher": "#1b4965", "distilled": "#d1495b", "distilled_words": "#e9a1aa", "gold_only": "#edae49",
    "gold_only_untouched": "#c9b27c", "untrained": "#8d99ae",
}
CHOICES = {"first": "#d1495b", "even": "#1b4965", "ends": "#66a182", "last": "#edae49", "random": "#8d99ae"}


def _figure(alt: str, width: float = 6.4, height: float = 3.8, **kwargs):
    figure, axes = plt.subplots(figsize=(width, height), layout="constrained", **kwargs)
    figure.set_gid(alt)
    plt.close(figure)  # the notebook shows the returned figure; without this it would appear twice
    for axis in np.atleast_1d(axes).ravel():
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def alt_text(figure: Figure) -> str:
    """One sentence that describes a figure of this module to somebody who cannot see it."""
    return figure.get_gid()


def label_counts(counts: pd.Series) -> Figure:
    """Examples per label, as horizontal bars."""
    figure, axis = _figure(f"Bars of examples per intent, from {counts.min()} to {counts.max()}.", height=0.26 * len(counts) + 0.8)
    axis.barh(counts.index[::-1], counts.values[::-1], color=COLOURS["teacher"])
    axis.set_xlabel("messages")
    return figure


def message_lengths(lengths: dict[str, list[int]]) -> Figure:
    """Words per message in each split, as overlaid outlines."""
    figure, axis = _figure("Distributions of message length in words for each split; they overlap.")
    bins = np.arange(0, max(map(max, lengths.values())) + 3, 3)
    for name, values in lengths.items():
        axis.hist(values, bins=bins, density=True, histtype="step", linewidth=1.8, label=name)
    axis.set(xlabel="words in a message", ylabel="share of messages")
    axis.set_yticks([])
    axis.legend(frameon=False)
    return figure


def confidence_against_accuracy(table: pd.DataFrame, threshold: float) -> Figure:
    """Accuracy of answers by the teacher's confidence, with the number of answers in each bin.

    Args:
        table: columns confidence and right.
    """
    alt = "Bars of accuracy rising with the teacher's confidence; a line marks the threshold below which answers are dropped."
    figure, axis = _figure(alt)
    bins = pd.cut(table["confidence"], np.linspace(0, 1, 21), include_lowest=True)
    groups = table.groupby(bins, observed=True)["right"].agg(["mean", "size"])
    middles = [interval.mid for interval in groups.index]
    axis.bar(middles, groups["mean"], width=0.045, color=COLOURS["teacher"])
    for middle, (accuracy, size) in zip(middles, groups.itertuples(index=False)):
        axis.annotate(f"{size}", (middle, accuracy), ha="center", va="bottom", fontsize=7)
    axis.axvline(threshold, color=COLOURS["distilled"], linestyle="--", label=f"kept from {threshold}")
    axis.set(xlabel="teacher's confidence in its label", ylabel="share right", ylim=(0, 1.08))
    axis.legend(frameon=False, loc="upper left")
    return figure


def learning_curve(history: pd.DataFrame, title: str = "") -> Figure:
    """Training loss by step and validation loss by epoch, from a trainer's log history."""
    validation = "; validation loss is marked after each epoch" if "eval_loss" in history else ""
    figure, axis = _figure(f"Training loss falls with the optimiser steps{validation}.")
    train = history.dropna(subset=["loss"])
    axis.plot(train["step"], train["loss"], color=COLOURS["distilled"], label="training")
    if "eval_loss" in history:
        held_out = history.dropna(subset=["eval_loss"])
        axis.plot(held_out["step"], held_out["eval_loss"], "o-", color=COLOURS["teacher"], label="validation")
    axis.set(xlabel="optimiser step", ylabel="loss (weighted, by completion token)", title=title)
    axis.legend(frameon=False)
    return figure


def _band(axis, table: pd.DataFrame, x: str, colour: str, label: str, marker: str = "o") -> None:
    table = table.sort_values(x)
    axis.plot(table[x], table["value"], marker + "-", color=colour, label=label)
    axis.fill_between(table[x], table["low"], table["high"], color=colour, alpha=0.15, linewidth=0)


def layers_figure(record: pd.DataFrame, teacher: float, own: dict | None = None) -> Figure:
    """Accuracy against parameters for each choice of layers.

    Args:
        record: columns choice, parameters, value, low, high.
        teacher: the teacher's accuracy, drawn as a line.
        own: this run's point: parameters, value.
    """
    figure, axis = _figure("Accuracy against millions of parameters, a line for each choice of layers.")
    for choice, group in record.groupby("choice", sort=False):
        label = "random weights" if choice == "random" else f"{choice} layers"
        _band(axis, group.assign(parameters=group["parameters"] / 1e6), "parameters", CHOICES[choice], label)
    axis.axhline(teacher, color="black", linestyle=":", label="teacher")
    if own:
        axis.plot(own["parameters"] / 1e6, own["value"], "*", color="black", markersize=13, label="your run")
    axis.set(xlabel="million parameters", ylabel="intent accuracy (test)")
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def size_figure(record: pd.DataFrame, teacher: float, own: dict | None = None) -> Figure:
    """Accuracy against the number of teacher answers, hand-written and generated prompts.

    Args:
        record: columns source, answers, value, low, high.
        own: this run's point: answers, value.
    """
    figure, axis = _figure("Student accuracy against the number of teacher answers, a line for hand-written and one for generated prompts.")
    for source, colour in (("hand", COLOURS["distilled"]), ("generated", COLOURS["teacher"])):
        group = record[(record["source"] == "generated") == (source == "generated")]
        if len(group):
            _band(axis, group, "answers", colour, f"{source}-written prompts" if source == "hand" else "generated prompts")
    axis.axhline(teacher, color="black", linestyle=":", label="teacher")
    if own:
        axis.plot(own["answers"], own["value"], "*", color="black", markersize=13, label="your run")
    axis.set(xscale="log", xlabel="teacher answers (log scale)", ylabel="intent accuracy (test)")
    axis.set_xticks(sorted(record["answers"].unique()), sorted(record["answers"].unique()))
    axis.minorticks_off()
    axis.legend(frameon=False)
    return figure


def rates_figure(record: pd.DataFrame) -> Figure:
    """Accuracy against learning rate, full fine-tuning and LoRA. Columns: method, rate, value, low, high."""
    figure, axis = _figure("Validation accuracy against learning rate, a line for full fine-tuning and one for LoRA.")
    for method, colour in (("full", COLOURS["distilled"]), ("lora", COLOURS["teacher"])):
        group = record[record["method"] == method]
        if len(group):
            _band(axis, group, "rate", colour, "all weights" if method == "full" else "LoRA, rank 16")
    axis.set(xscale="log", xlabel="learning rate (log scale)", ylabel="intent accuracy (validation)")
    axis.axvspan(1e-5, 5e-5, color="black", alpha=0.05, linewidth=0)
    axis.legend(frameon=False)
    return figure


def faults_figure(record: pd.DataFrame, faults: list[str]) -> Figure:
    """Accuracy against the share of spoiled rows, a line for each fault; all begin at the clean student.

    Args:
        record: columns name, fault, share, value, low, high.
    """
    figure, axis = _figure("Student accuracy against the share of spoiled training rows, a line for each fault.")
    clean = record[record["name"] == "clean"].assign(share=0.0)
    for number, fault in enumerate(faults):
        points = pd.concat([clean, record[record["fault"] == fault]])
        _band(axis, points.assign(share=100 * points["share"]), "share", f"C{number}", fault)
    ends = record["low"].min() - 0.02, record["high"].max() + 0.02  # the same in all figures, so that faults can be compared
    axis.set(xlabel="how much is spoiled (%)", ylabel="intent accuracy (test)", ylim=ends)
    axis.legend(frameon=False)
    return figure


def worth_figure(record: pd.DataFrame) -> Figure:
    """Accuracy against the number of different rows, a line for gold labels and one for teacher answers. Columns: source, rows, value, low,
    high."""
    figure, axis = _figure("Student accuracy against the number of different rows, a line for gold labels and one for teacher answers.")
    for source, colour, label in (("gold", COLOURS["gold_only"], "gold labels"), ("hand", COLOURS["distilled"], "teacher answers")):
        _band(axis, record[record["source"] == source], "rows", colour, label)
    ticks = sorted(record["rows"].unique())
    axis.set(xscale="log", xlabel="different rows (log scale)", ylabel="intent accuracy (test)")
    axis.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
    axis.minorticks_off()
    axis.legend(frameon=False)
    return figure


def accuracy_bars(results: pd.DataFrame) -> Figure:
    """Intent accuracy of each model with its 95% interval."""
    table = results[results["metric"] == "main"].set_index("model")
    table = table.reindex([name for name in COLOURS if name in table.index])
    summary = ", ".join(f"{name} {value:.2f}" for name, value in table["value"].items())
    figure, axis = _figure(f"Intent accuracy on the test set with 95% intervals: {summary}.")
    errors = [table["value"] - table["low"], table["high"] - table["value"]]
    names, colours = [name.replace("_", "\n") for name in table.index], [COLOURS[name] for name in table.index]
    axis.bar(names, table["value"], yerr=errors, capsize=4, color=colours)
    for place, (value, high) in enumerate(zip(table["value"], table["high"])):
        axis.annotate(f"{value:.2f}", (place, high), ha="center", va="bottom", xytext=(0, 3), textcoords="offset points")
    axis.set(ylabel="intent accuracy (test)", ylim=(0, 1.05))
    return figure


def quality_against_cost(results: pd.DataFrame) -> Figure:
    """Accuracy against median latency, and against peak memory: the better model stands higher and further left."""
    wide = results.pivot_table(index="model", columns="metric", values="value")
    wide = wide.dropna(subset=["latency_median_s", "main"])
    alt = "Two scatter plots: accuracy against latency and against peak memory; students lie left of the teacher."
    figure, axes = _figure(alt, 8, 3.6, ncols=2, sharey=True)
    columns = {"latency_median_s": "median seconds an answer", "peak_memory_mb": "peak memory (MB)"}
    for axis, (column, name) in zip(axes, columns.items()):
        for model, row in wide.iterrows():
            axis.scatter(row[column], row["main"], s=25 + row["parameters"] / 1e6, color=COLOURS.get(model, "grey"), label=model)
        axis.set(xlabel=name, xlim=(0, None), ylim=(0, 1))
    axes[0].set_ylabel("intent accuracy (test)")
    axes[1].legend(frameon=False, fontsize=8)
    return figure


def confusion(table: pd.DataFrame, labels: list[str]) -> Figure:
    """Confusion matrix, gold label by row, in messages."""
    counts = pd.crosstab(table["gold"], table["predicted"]).reindex(index=labels, columns=labels, fill_value=0)
    figure, axis = _figure("Confusion matrix: most messages lie on the diagonal.", 5.6, 5)
    axis.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts.to_numpy()):
        if count:
            colour = "white" if count > counts.to_numpy().max() / 2 else "black"
            axis.text(column, row, count, ha="center", va="center", fontsize=8, color=colour)
    axis.set_xticks(range(len(labels)), labels, rotation=60, ha="right")
    axis.set_yticks(range(len(labels)), labels)
    axis.set(xlabel="predicted", ylabel="gold")
    return figure


def per_label(tables: dict[str, pd.DataFrame]) -> Figure:
    """Main score per gold label, a mark for each model."""
    labels = sorted(set.union(*(set(table["kind"]) for table in tables.values())))
    figure, axis = _figure("Score per gold label, one mark for each model.", height=0.3 * len(labels) + 1)
    for model, table in tables.items():
        accuracy = table.groupby("kind")["main"].mean().reindex(labels)
        axis.plot(accuracy, range(len(labels)), "o", color=COLOURS.get(model, "grey"), label=model, alpha=0.85)
    axis.set_yticks(range(len(labels)), labels)
    axis.set(xlabel="accuracy (test)", xlim=(0, 1.03))
    axis.legend(frameon=False, fontsize=8, loc="lower left")
    return figure
