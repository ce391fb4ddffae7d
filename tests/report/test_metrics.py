"""Errors against the float network and accuracy against labels, on outputs worked out by hand."""

import math

import numpy as np
import pytest

from deltawave.errors import InputError, OptionError
from deltawave.report.ctc import edit_distance, greedy_text
from deltawave.report.metrics import Scoring, output_errors, scores

THREE_CLASSES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]], np.float32)  # 0, 1, 2


def stream(*calls: np.ndarray) -> dict[str, np.ndarray]:
    return {"y": np.stack(calls)}


def test_errors_are_relative_to_the_float_network_over_all_streams() -> None:
    ours = [stream(np.array([3.0, 0.0])), stream(np.array([0.0, 4.5]))]
    floats = [stream(np.array([3.0, 0.0])), stream(np.array([0.0, 4.0]))]
    (error,) = output_errors(ours, floats)
    assert (error.output, error.relative_rms, error.largest) == ("y", 0.1, 0.5)


def test_errors_where_the_float_network_says_nothing() -> None:
    zero = [stream(np.zeros(2))]
    assert output_errors(zero, zero)[0].relative_rms == 0.0
    assert output_errors([stream(np.ones(2))], zero)[0].relative_rms == math.inf


def test_one_label_a_stream_is_met_by_the_last_step() -> None:
    outputs = [stream(THREE_CLASSES), stream(THREE_CLASSES[:2])]
    (score,) = scores(outputs, [2, 0], Scoring())
    assert (score.name, score.value, score.counted) == ("accuracy", 0.5, 2)


def test_one_label_a_step_and_one_a_call() -> None:
    two_calls = stream(THREE_CLASSES[:2], THREE_CLASSES[1:])
    (by_step,) = scores([two_calls], [np.array([0, 1, 1, 1])], Scoring())
    (by_call,) = scores([two_calls], [np.array([1, 0])], Scoring())
    assert (by_step.value, by_step.counted) == (0.75, 4)
    assert (by_call.value, by_call.counted) == (0.5, 2)


def test_the_channels_of_one_pixel_are_classes() -> None:
    pixels = [{"y": step.reshape(1, 1, 3, 1, 1)} for step in THREE_CLASSES]
    (score,) = scores(pixels, [0, 1, 1], Scoring())
    assert (score.value, score.counted) == (2 / 3, 3)
    sequences = [{"y": THREE_CLASSES.reshape(1, 3, 3, 1, 1)}]  # of binary outputs in rows: not a pixel
    assert scores(sequences, [np.zeros(9, int)], Scoring())[0].counted == 9


def test_a_single_output_is_binary() -> None:
    probabilities = [stream(np.array([[0.2]]), np.array([[0.5]]), np.array([[0.9]]))]
    (score,) = scores(probabilities, [np.array([0, 1, 0])], Scoring())
    assert score.value == 2 / 3
    (strict,) = scores(probabilities, [np.array([0, 1, 0])], Scoring(metric="binary", threshold=0.6))
    assert strict.value == 1 / 3


def test_texts_are_read_by_ctc() -> None:
    steps = np.eye(3)[[1, 1, 0, 1, 2, 2]]
    assert greedy_text(steps, ("", "a", "b"), 0) == "aab"
    (score,) = scores([stream(steps)], ["aabb"], Scoring(alphabet=("", "a", "b")))
    assert (score.name, score.value, score.counted) == ("character accuracy", 0.75, 4)


@pytest.mark.parametrize(
    ("a", "b", "edits"), [("", "", 0), ("abc", "abc", 0), ("kitten", "sitting", 3), ("", "ab", 2)]
)
def test_edit_distance(a: str, b: str, edits: int) -> None:
    assert edit_distance(a, b) == edit_distance(b, a) == edits


def test_the_next_token_is_the_label_of_a_token_network() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [1, 1, 1]]))[:, None]
    accuracy, bits = scores([stream(logits)], None, Scoring(), tokens=[np.array([[2], [0], [2]])])
    assert (accuracy.value, accuracy.counted) == (0.5, 2)
    assert bits.value == pytest.approx(1.5)
    probabilities = [stream(np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True))]
    assert scores(probabilities, None, Scoring(), tokens=[np.array([2, 0, 2])])[1].value == pytest.approx(1.5)


def test_without_labels_there_is_no_score() -> None:
    assert scores([stream(THREE_CLASSES)], None, Scoring()) == ()
    assert scores([stream(THREE_CLASSES)], [0], Scoring(metric="none")) == ()


OUTPUTS = [stream(THREE_CLASSES, THREE_CLASSES)]
REFUSALS = {
    "one output for two labels": (Scoring(), [0, 1], "1 streams have labels for 2; give one item a stream"),
    "too many labels": (
        Scoring(),
        [np.arange(3) % 2],
        "stream 0 has 3 labels for 2 calls and 6 steps; give one a stream, a call or a step",
    ),
    "a class that is none": (Scoring(), [3], "stream 0 has the label 3; classes go from 0 to 2"),
    "a negative class": (Scoring(), [np.array([0, -1])], "stream 0 has the label -1; classes go from 0 to 2"),
    "fractions": (
        Scoring(),
        [np.array([0.5])],
        "the labels of stream 0 are float64 of shape (1,); classes are a list of whole numbers",
    ),
    "no labels": (
        Scoring(metric="top1"),
        None,
        "the metric 'top1' needs labels; give some, or choose the metric 'none'",
    ),
    "a class where a text should be": (
        Scoring(metric="ctc", alphabet=("", "a", "b")),
        [1],
        "the metric 'ctc' compares texts and 1 is none; choose top1 or binary",
    ),
    "a short alphabet": (
        Scoring(alphabet=("", "a")),
        ["a"],
        "the alphabet has 2 letters and the output 3 classes; give a file with one line a class, the blank's empty",
    ),
    "no blank": (
        Scoring(alphabet=("a", "b", "c")),
        ["a"],
        "no letter of the alphabet is empty; leave the blank's line empty, or give its index",
    ),
    "a blank beyond the classes": (
        Scoring(alphabet=("a", "b", "c"), blank=3),
        ["a"],
        "the blank is class 3; classes go from 0 to 2",
    ),
    "no tokens": (
        Scoring(metric="next-token"),
        None,
        "the metric 'next-token' needs a network whose only input is whole numbers; choose another",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_labels_that_do_not_fit_are_refused(case: str) -> None:
    scoring, labels, message = REFUSALS[case]
    with pytest.raises(InputError) as refused:
        scores(OUTPUTS, labels, scoring)
    assert str(refused.value) == message


def test_unknown_names_are_refused() -> None:
    with pytest.raises(OptionError) as refused:
        Scoring(metric="topl")
    assert str(refused.value) == "no metric 'topl'; did you mean 'top1'?"
    with pytest.raises(OptionError) as refused:
        scores(OUTPUTS, [0], Scoring(output="z"))
    assert str(refused.value) == "no output 'z'; there are: y"


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([np.arange(5)], "stream 0 has 5 tokens and 6 outputs; next-token pairs them"),
    ],
)
def test_tokens_that_do_not_fit_are_refused(tokens: list[np.ndarray], message: str) -> None:
    with pytest.raises(InputError) as refused:
        scores(OUTPUTS, None, Scoring(), tokens)
    assert str(refused.value) == message
