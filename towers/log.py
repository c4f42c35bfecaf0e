"""The log of a training: a CSV file with a line an epoch, TensorBoard's events on request, and afterwards a picture of
the file."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import RunError

Report = Callable[[str, Mapping[str, float]], None]


class Log:
    """A CSV file with a line an epoch, flushed at once; the columns are those of the first line.

    With ``append`` the lines of a broken training stay, up to the epoch that it continues from. ``board``: a folder for
    TensorBoard as well; ``RunError`` where that is not installed.
    """

    def __init__(self, path: Path, append: bool = False, board: Path | None = None) -> None:
        self.path, self.append, self.board = path, append and path.is_file(), board

    def __enter__(self) -> "Log":
        self.events = None if self.board is None else event_writer(self.board)
        self.file = self.path.open("a" if self.append else "w", newline="", encoding="utf-8")
        self.writer: csv.DictWriter[str] | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        if self.events is not None:
            self.events.close()

    def reporting(self, stage: str, report: Report) -> Callable[[Mapping[str, float]], None]:
        """A callback that logs a line and passes it on."""

        def log(figures: Mapping[str, float]) -> None:
            self.write(figures)
            report(stage, figures)

        return log

    def write(self, figures: Mapping[str, float]) -> None:
        if self.writer is None:
            self.writer = self.begin(figures)
        self.writer.writerow({name: f"{value:.6g}" for name, value in figures.items()})
        self.file.flush()
        if self.events is not None:
            for name, value in figures.items():
                if name != "epoch":
                    self.events.add_scalar(name, value, int(figures["epoch"]))

    def begin(self, figures: Mapping[str, float]) -> "csv.DictWriter[str]":
        """Write the header, and the earlier lines before the epoch of ``figures``: a training may have been killed
        after it logged an epoch and before it saved it."""
        earlier = []
        if self.append:
            with self.path.open(newline="", encoding="utf-8") as file:
                whole = [row for row in csv.DictReader(file) if None not in row.values()]
            earlier = [row for row in whole if float(row["epoch"]) < figures["epoch"]]
            self.file.truncate(0)
        writer = csv.DictWriter(self.file, list(figures), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(earlier)
        return writer


def event_writer(folder: Path) -> Any:
    return event_writer_class()(str(folder))


def event_writer_class() -> Any:
    """``RunError`` where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise RunError(
            "TensorBoard is not installed; pip install tensorboard, or train without --tensorboard: "
            "the same figures are in the CSV file"
        ) from error
    return SummaryWriter


def draw_curves(path: Path, picture: Path) -> None:
    """Draw every column of a log except the epoch, one small plot each."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in (rows[0] if rows else {}) if name != "epoch"]
    if not names:
        return
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure, grid = pyplot.subplots(lines, columns, figsize=(3 * columns, 2.2 * lines), squeeze=False)
    epochs = [float(row["epoch"]) for row in rows]
    for place, axes in enumerate(grid.flat):
        if place >= len(names):
            axes.axis("off")
            continue
        axes.plot(epochs, [float(row[names[place]]) for row in rows])
        axes.set_title(names[place], fontsize=8)
        axes.tick_params(labelsize=7)
    figure.tight_layout()
    figure.savefig(picture, dpi=100)
    pyplot.close(figure)
