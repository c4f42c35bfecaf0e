"""What a training says while it runs: a CSV file with a line an epoch, and afterwards a picture of it."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

Report = Callable[[str, Mapping[str, float]], None]


class Log:
    """A CSV file with a line an epoch, flushed at once; the columns are those of the first line."""

    def __init__(self, path: Path, append: bool = False) -> None:
        self.path, self.append = path, append and path.is_file()

    def __enter__(self) -> "Log":
        self.file = self.path.open("a" if self.append else "w", newline="", encoding="utf-8")
        self.writer: csv.DictWriter[str] | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def reporting(self, stage: str, report: Report) -> Callable[[Mapping[str, float]], None]:
        """A callback that logs a line and passes it on."""

        def log(figures: Mapping[str, float]) -> None:
            self.write(figures)
            report(stage, figures)

        return log

    def write(self, figures: Mapping[str, float]) -> None:
        if self.writer is None:
            self.writer = csv.DictWriter(self.file, list(figures), extrasaction="ignore")
            if not self.append:
                self.writer.writeheader()
        self.writer.writerow({name: f"{value:.6g}" for name, value in figures.items()})
        self.file.flush()


def draw_curves(path: Path, picture: Path) -> None:
    """Every column of a log but the epoch, one small plot each."""
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
