"""Options that say which data, and the streams, labels and scoring they mean."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deltawave.cli.bundles import flag
from deltawave.errors import InputError, OptionError

if TYPE_CHECKING:
    from deltawave.data import Sources
    from deltawave.data.labels import Label
    from deltawave.network import Network
    from deltawave.network.streams import Item
    from deltawave.report.metrics import Scoring

METRICS = "auto, top1, binary, ctc, next-token or none"


@dataclass(frozen=True)
class FileOptions:
    """How files of data are read, and which calibrate."""

    calibration: tuple[str, ...] = flag(
        "--calibration",
        "-c",
        multiple=True,
        metavar="FILE",
        help="Data from which number formats are picked.",
    )
    keys: tuple[str, ...] = flag(
        "--input-key", multiple=True, metavar="NAME", help="Which array of a .npz file is the input."
    )
    separate: bool = flag(
        "--separate",
        is_flag=True,
        default=False,
        help="Each item of an array is a stream of its own, not a call.",
    )
    rate_hz: int | None = flag(
        "--rate", type=int, metavar="HZ", help="Recordings: the rate the network takes."
    )
    window: int | None = flag(
        "--window", type=int, metavar="N", help="Recordings: samples in a frame [the input's size]."
    )
    hop: int | None = flag("--hop", type=int, metavar="N", help="Recordings: new samples in a frame.")
    spectrum: str | None = flag("--spectrum", metavar="magnitude", help="Recordings: transform the frames.")
    vocabulary: str | None = flag(
        "--vocab", metavar="FILE", help="Texts: a JSON object of characters to numbers."
    )

    @property
    def sources(self) -> "Sources":
        """How files are read. Raises OptionError."""
        from deltawave.data import Recording, Sources

        if self.spectrum not in (None, "magnitude"):
            raise OptionError(f"no spectrum {self.spectrum!r}; there is: magnitude")
        recording = Recording(
            rate_hz=self.rate_hz,
            window=self.window,
            hop=self.hop,
            spectrum="magnitude" if self.spectrum else None,
        )
        return Sources(
            keys=self.keys, separate=self.separate, vocabulary=self.vocabulary, recording=recording
        )

    def read(self, network: "Network", path: str) -> "list[Item]":
        """The data in a file. Raises InputError, OptionError."""
        from deltawave.data import read_inputs

        return read_inputs(network, path, self.sources)

    def read_calibration(self, network: "Network") -> "list[Item] | None":
        """The data to calibrate on, if any. Raises InputError, OptionError."""
        return [item for path in self.calibration for item in self.read(network, path)] or None


@dataclass(frozen=True)
class InputOptions:
    """What a network is run on, and how its outputs are scored."""

    inputs: tuple[str, ...] = flag(
        "--input",
        "-i",
        multiple=True,
        metavar="FILE",
        help="Input: .npy, .npz, .wav or .txt. Several are more streams.",
    )
    labels: tuple[str, ...] = flag(
        "--labels",
        multiple=True,
        metavar="FILE",
        help="Labels: .npy, .npz or .txt; one file for all inputs, or one each.",
    )
    label_key: str | None = flag(
        "--label-key", metavar="NAME", help="Which array of a .npz file holds the labels."
    )
    metric: str = flag("--metric", default="auto", metavar="NAME", help=f"How outputs are scored: {METRICS}.")
    scored: str | None = flag("--score-output", metavar="NAME", help="Which output is scored [the first].")
    alphabet: str | None = flag(
        "--alphabet", metavar="FILE", help="ctc: one letter a line, the blank's empty."
    )
    blank: int | None = flag(
        "--blank", type=int, metavar="N", help="ctc: the blank's class, if no line is empty."
    )

    @property
    def scoring(self) -> "Scoring":
        """How outputs are scored. Raises OptionError, InputError."""
        from deltawave.data.text import read_alphabet
        from deltawave.report.metrics import Scoring

        alphabet = read_alphabet(self.alphabet) if self.alphabet else ()
        metric: Any = self.metric  # Scoring refuses a wrong one
        return Scoring(metric=metric, output=self.scored, alphabet=alphabet, blank=self.blank)

    def read(self, network: "Network", files: FileOptions) -> "Data":
        """Inputs and labels. Raises InputError, OptionError."""
        if not self.inputs:
            raise OptionError("which data? give --input")
        by_file = [files.read(network, path) for path in self.inputs]
        return Data([item for items in by_file for item in items], self._labels(network, by_file))

    def _labels(self, network: "Network", by_file: "list[list[Item]]") -> "list[Label] | None":
        """One label a stream; without --labels, those that every file of inputs brings along, if they do."""
        from deltawave.data import labelled, read_labels
        from deltawave.network import as_streams

        paths = self.labels or (self.inputs if all(map(labelled, self.inputs)) else ())
        if not paths or self.metric == "none":
            return None
        counts = [len(as_streams(network, items)) for items in by_file]
        if len(paths) == 1:
            return read_labels(paths[0], sum(counts), self.label_key)
        if len(paths) != len(counts):
            raise InputError(
                f"there are {len(counts)} inputs and {len(paths)} files of labels; give one, or one each"
            )
        pairs = zip(paths, counts, strict=True)
        return [label for path, count in pairs for label in read_labels(path, count, self.label_key)]


@dataclass(frozen=True, eq=False)
class Data:
    """What a network is run on: data as for `Program.run`, labels by stream."""

    items: "list[Item]"
    labels: "list[Label] | None"
