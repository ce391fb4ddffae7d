"""How good outputs are: their error against the float network, and their accuracy against labels.

Outputs come by stream: each output of the network stacked over the stream's calls, `[calls, *shape]`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import InputError, OptionError
from deltawave.options import nearest
from deltawave.report.classes import Label, Share, share_right
from deltawave.report.ctc import characters_right
from deltawave.report.next_token import next_tokens_right

Outputs = Mapping[str, NDArray[Any]]
Metric = Literal["auto", "top1", "binary", "ctc", "next-token", "none"]
Tokens = Sequence[NDArray[Any]]
"""The whole numbers that a token network was fed, by stream."""


@dataclass(frozen=True)
class OutputError:
    """An output beside the float network's.

    `relative_rms`: rms(difference) / rms(float); `largest`: the largest absolute difference.
    """

    output: str
    relative_rms: float
    largest: float


@dataclass(frozen=True)
class Score:
    """A figure of quality over `counted` labels: `unit` is "share" (from 0 to 1) or "bit"."""

    name: str
    value: float
    unit: str
    counted: int


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How outputs are scored.

    `output`: which one, the first if None; `threshold`: of a binary output; `alphabet`: for ctc, the letter of
    every class; `blank`: the class that ctc reads as no letter, if None the one whose letter is empty.
    """

    metric: Metric = "auto"
    output: str | None = None
    threshold: float = 0.5
    alphabet: tuple[str, ...] = ()
    blank: int | None = None

    def __post_init__(self) -> None:
        if self.metric not in get_args(Metric):
            raise OptionError(f"no metric {self.metric!r}; {nearest(self.metric, get_args(Metric))}")


AUTOMATIC = Scoring()


def output_errors(ours: Sequence[Outputs], floats: Sequence[Outputs]) -> tuple[OutputError, ...]:
    """The error of every output over all streams."""
    return tuple(_output_error(name, ours, floats) for name in ours[0])


def _output_error(name: str, ours: Sequence[Outputs], floats: Sequence[Outputs]) -> OutputError:
    squares = reference = largest = 0.0
    for our, exact in zip(ours, floats, strict=True):
        wide = np.asarray(exact[name], np.float64)
        difference = np.asarray(our[name], np.float64) - wide
        squares += float(np.sum(difference**2))
        reference += float(np.sum(wide**2))
        largest = max(largest, float(np.abs(difference).max(initial=0.0)))
    relative = math.sqrt(squares / reference) if reference else math.inf if squares else 0.0
    return OutputError(name, relative, largest)


def scores(
    outputs: Sequence[Outputs], labels: Sequence[Label] | None, scoring: Scoring, tokens: Tokens | None = None
) -> tuple[Score, ...]:
    """Figures of quality, the headline first; none without labels.

    labels: one item a stream: a class for the whole stream, its text, or a class for every call or step.
    Raises InputError for labels that do not fit the outputs, OptionError for an output that does not exist.
    """
    metric = chosen_metric(outputs, labels, scoring, tokens)
    if metric == "none":
        return ()
    rows = [as_rows(stream, scoring.output) for stream in outputs]
    if metric == "next-token":
        return _next_token_scores(rows, tokens)
    if labels is None:
        raise InputError(f"the metric {metric!r} needs labels; give some, or choose the metric 'none'")
    if len(labels) != len(outputs):
        raise InputError(f"{len(outputs)} streams have labels for {len(labels)}; give one item a stream")
    if metric == "ctc":
        return (
            _fraction("character accuracy", characters_right(rows, labels, scoring.alphabet, scoring.blank)),
        )
    calls = [len(next(iter(stream.values()))) for stream in outputs]
    threshold = scoring.threshold if metric == "binary" else None
    return (_fraction("accuracy", share_right(rows, labels, calls, threshold)),)


def chosen_metric(
    outputs: Sequence[Outputs], labels: Sequence[Label] | None, scoring: Scoring, tokens: Tokens | None
) -> Metric:
    """What `auto` stands for: by the labels' type and the last axis of the output."""
    if scoring.metric != "auto":
        return scoring.metric
    if labels is None:
        return "none" if tokens is None else "next-token"
    if any(isinstance(label, str) for label in labels):
        return "ctc"
    return "binary" if as_rows(outputs[0], scoring.output).shape[1] == 1 else "top1"


def as_rows(stream: Outputs, output: str | None) -> NDArray[Any]:
    """An output as [steps, classes]: all axes but the last are steps, in order; the classes of a map of one pixel,
    [calls, 1, classes, 1, 1], are its channels. Raises OptionError."""
    name = output if output is not None else next(iter(stream))
    if name not in stream:
        raise OptionError(f"no output {name!r}; {nearest(name, stream)}")
    array = np.asarray(stream[name])
    is_pixel = array.ndim == 5 and array.shape[1] == 1 and array.shape[3:] == (1, 1)
    return array.reshape(-1, array.shape[2 if is_pixel else -1])


def _fraction(name: str, share: Share) -> Score:
    return Score(name, share.right / share.counted, "share", share.counted)


def _next_token_scores(rows: Sequence[NDArray[Any]], tokens: Tokens | None) -> tuple[Score, ...]:
    if tokens is None:
        raise InputError(
            "the metric 'next-token' needs a network whose only input is whole numbers; choose another"
        )
    share, bits = next_tokens_right(rows, tokens)
    per_token = Score("bits per token", bits / share.counted, "bit", share.counted)
    return _fraction("next-token accuracy", share), per_token
