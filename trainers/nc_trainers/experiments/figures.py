"""The paper's figures in matplotlib: line plots, box plots and bars."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from nc_trainers.experiments.run import Row

THRESHOLD = 2


def lines(rows: Sequence[Row], axis: str, path: Path) -> None:
    """ACC and ASR in percent over one property, a color an architecture; dotted is the clean model's ACC."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    plot = figure.subplots()
    for index, architecture in enumerate(dict.fromkeys(row["architecture"] for row in rows)):
        own = [row for row in rows if row["architecture"] == architecture]
        poisoned = [row for row in own if row[axis] != "clean"]
        positions = [str(row[axis]) for row in poisoned]
        color = f"C{index}"
        plot.plot(positions, [100 * row["ASR"] for row in poisoned], "s--", color=color, label=f"{architecture} ASR")
        plot.plot(positions, [100 * row["ACC"] for row in poisoned], "o-", color=color, label=f"{architecture} ACC")
        for row in own:
            if row[axis] == "clean":
                plot.axhline(100 * row["ACC"], color=color, linestyle=":", label=f"{architecture} ACC, clean")
    plot.set(xlabel=axis, ylabel="%", ylim=(0, 103))
    plot.tick_params(axis="x", rotation=30 if len(positions[-1]) > 5 else 0)
    plot.grid(alpha=0.3)
    plot.legend(fontsize="small")
    figure.savefig(path, dpi=150)


def detection(rows: Sequence[Row], path: Path) -> None:
    """Figure 5: the norms of each model's labels as boxes, the target's as a cross; the anomaly index as bars."""
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    norms, indices = figure.subplots(1, 2)
    names = [f"{row['model']}\n{row['probes']}" for row in rows]
    places = range(1, len(rows) + 1)
    boxes = [[norm for label, norm in row.items() if label.isdecimal() and int(label) != row["target"]] for row in rows]
    norms.boxplot(boxes, tick_labels=names)
    targets = [(place, row[str(row["target"])]) for place, row in zip(places, rows, strict=True) if _poisoned(row)]
    norms.plot(*zip(*targets, strict=True), "rx", label="target")
    norms.set(ylabel="L1 norm of the mask", ylim=(0, None))
    norms.legend()
    indices.bar(names, [row["index"] for row in rows], color=["C3" if _poisoned(row) else "C0" for row in rows])
    indices.axhline(THRESHOLD, color="black", linestyle="--")
    indices.set(ylabel="largest anomaly index (red: backdoored)")
    for plot in (norms, indices):
        plot.tick_params(axis="x", rotation=90, labelsize="x-small")
    figure.savefig(path, dpi=150)


def _poisoned(row: Row) -> bool:
    return row["target"] is not None
