"""The paper's figures in matplotlib: line plots, box plots, bars, grids of masks and of images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from nc_trainers.experiments.run import Row

THRESHOLD = 2
COLORS = {"backdoored": "C3", "clean": "C0"}
MARKERS = ("o", "s", "^", "D", "v")
COLUMNS = 8
Masks = Mapping[int, npt.NDArray[np.float32]]
Tile = tuple[str, npt.NDArray[Any]]


def lines(rows: Sequence[Row], axis: str, path: Path) -> None:
    """Figure 4: ACC and ASR in percent over one property, a color an architecture; dotted is the clean model's ACC."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    plots = figure.subplots(1, 2, sharey=True)
    architectures = list(dict.fromkeys(row["architecture"] for row in rows))
    styles: list[dict[str, Any]] = [
        {"color": f"C{i}", "marker": MARKERS[i % len(MARKERS)], "markersize": 5} for i in range(len(architectures))
    ]
    for plot, measure in zip(plots, ("ACC", "ASR"), strict=True):
        for architecture, style in zip(architectures, styles, strict=True):
            _line(plot, [row for row in rows if row["architecture"] == architecture], axis, measure, style)
        plot.set(title=measure, xlabel=axis, ylim=(0, 103))
        plot.grid(alpha=0.3)
    plots[0].set_ylabel("%")
    handles: list[Artist] = [
        Line2D([], [], label=name, **style) for name, style in zip(architectures, styles, strict=True)
    ]
    if any(row[axis] == "clean" for row in rows):
        handles.append(Line2D([], [], linestyle=":", color="black", label="clean model"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize="small")
    figure.savefig(path, dpi=150)


def _line(plot: Axes, rows: Sequence[Row], axis: str, measure: str, style: Mapping[str, Any]) -> None:
    """One measure of the poisoned models of one architecture, and the ACC of its clean one."""
    poisoned = [row for row in rows if row[axis] != "clean"]
    positions = [str(row[axis]) for row in poisoned]
    named = isinstance(poisoned[0][axis], str)  # between names there is no line to draw
    plot.plot(
        positions,
        [100 * row[measure] for row in poisoned],
        alpha=0.8,
        linestyle="none" if named else "-",
        **style,
    )
    if max(map(len, positions)) > 5:
        for name in plot.get_xticklabels():
            name.set(rotation=30, ha="right", rotation_mode="anchor")
    for row in rows:
        if row[axis] == "clean" and measure == "ACC":
            plot.axhline(100 * row["ACC"], color=style["color"], linestyle=":")


def detection(rows: Sequence[Row], axis: str, path: Path) -> None:
    """Figure 5, a line for each probe set: norms as boxes, the target's as a cross; anomaly indices as bars."""
    sets = list(dict.fromkeys(row["probes"] for row in rows))
    figure = Figure(figsize=(11, 3.6 * len(sets)), layout="constrained")
    plots = figure.subplots(len(sets), 2, squeeze=False)
    for probes, (boxes, bars) in zip(sets, plots, strict=True):
        own = [row for row in rows if row["probes"] == probes]
        _norm_boxes(boxes, own, axis)
        _index_bars(bars, own, axis)
        boxes.set_title(f"{probes} probes", loc="left", fontsize="medium")
    figure.savefig(path, dpi=150)


def _norm_boxes(plot: Axes, rows: Sequence[Row], axis: str) -> None:
    """The norms of the labels that are no target as a box, the target's as a cross."""
    for row, place in zip(rows, _places(rows, axis), strict=True):
        color = COLORS[row["model"]]
        norms = {label: norm for label, norm in row.items() if label.isdecimal()}
        others = [norm for label, norm in norms.items() if label != str(row["target"])]
        drawn = plot.boxplot([others], positions=[place], widths=0.3, patch_artist=True, manage_ticks=False)
        drawn["boxes"][0].set(facecolor=color, alpha=0.5)
        if row["target"] is not None:
            plot.plot(place, norms[str(row["target"])], "x", color=color, markersize=8, markeredgewidth=2)
    plot.set(ylabel="L1 norm of the mask")
    _label(plot, rows, axis, cross="norm of the target")


def _index_bars(plot: Axes, rows: Sequence[Row], axis: str) -> None:
    """The largest anomaly index of each model, and the paper's threshold."""
    colors = [COLORS[row["model"]] for row in rows]
    plot.bar(_places(rows, axis), [row["index"] for row in rows], width=0.3, color=colors)
    plot.axhline(THRESHOLD, color="black", linestyle="--", linewidth=1)
    plot.set(ylabel="largest anomaly index")
    _label(plot, rows, axis)


def _places(rows: Sequence[Row], axis: str) -> list[float]:
    """Where the rows stand: one place for each value on the axis, backdoored left of clean where there are both."""
    values = list(dict.fromkeys(row[axis] for row in rows))
    beside = len({row["model"] for row in rows}) > 1
    shift = {"backdoored": -0.18, "clean": 0.18} if beside else dict.fromkeys(COLORS, 0.0)
    return [values.index(row[axis]) + shift[row["model"]] for row in rows]


def _label(plot: Axes, rows: Sequence[Row], axis: str, cross: str | None = None) -> None:
    values = list(dict.fromkeys(row[axis] for row in rows))
    plot.set_ylim(0, 1.25 * plot.get_ylim()[1])  # room for the legend
    plot.set_xticks(range(len(values)), values)
    plot.set_xlabel(axis)
    kinds = dict.fromkeys(row["model"] for row in rows)
    handles: list[Artist] = [Patch(facecolor=COLORS[kind], label=kind) for kind in kinds]
    if cross is not None and "backdoored" in kinds:
        handles += plot.plot([], [], "x", color=COLORS["backdoored"], markeredgewidth=2, label=cross)
    plot.legend(handles=handles, fontsize="small", loc="upper center", ncols=len(handles))


def masks(grids: Sequence[tuple[str, int | None, Masks]], path: Path) -> None:
    """Figures 6 to 16, a line of masks for each model: its name, its target (framed) and the masks (H, W) by label."""
    columns = max(len(found) for _, _, found in grids)
    figure = Figure(figsize=(1.1 * columns + 0.8, 1.2 * len(grids) + 0.4), layout="constrained")
    plots = figure.subplots(len(grids), columns, squeeze=False)
    for line, (name, target, found) in zip(plots, grids, strict=True):
        for plot in line:
            plot.set(xticks=[], yticks=[])
        line[0].set_ylabel(name if target is None else f"target {name}", fontsize="small")
        for plot, (label, mask) in zip(line, sorted(found.items()), strict=False):
            plot.imshow(mask, cmap="gray", vmin=0, vmax=1)
            plot.set_title(f"{label}: {mask.sum():.1f}", fontsize="x-small", pad=2)
            if label == target:
                for edge in plot.spines.values():
                    edge.set(color=COLORS["backdoored"], linewidth=2.5)
    figure.savefig(path, dpi=110)


def pictures(tiles: Sequence[Tile], path: Path) -> None:
    """Figures 2 and 3: images (C, H, W) in 0..1, each under its title."""
    columns = min(COLUMNS, len(tiles))
    lines = -(-len(tiles) // columns)
    figure = Figure(figsize=(1.2 * columns, 1.55 * lines), layout="constrained")
    plots = figure.subplots(lines, columns, squeeze=False).ravel()
    for plot in plots:
        plot.set_axis_off()
    for plot, (title, image) in zip(plots, tiles, strict=False):
        plot.imshow(image.transpose(1, 2, 0), cmap="gray", vmin=0, vmax=1)
        plot.set_title(title, fontsize="small", pad=3)
    figure.savefig(path, dpi=110)
