"""Streams and labels from files."""

import contextlib
import io
import json
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from deltawave.arrays import read_npy, read_npz, write_npz
from deltawave.data import Recording, Sources, labelled, read_inputs, read_labels
from deltawave.errors import DeltawaveError, InputError
from deltawave.network import Network, as_streams, load
from networks import recurrent_network, walk

NETWORK = recurrent_network("RNN", streaming=True)


def identity(dtype: int, shape: list[int | str], inputs: int = 1) -> Network:
    """A network that gives back what it gets."""
    nodes = [helper.make_node("Identity", [f"x{n}"], [f"y{n}"]) for n in range(inputs)]
    ends = [[helper.make_tensor_value_info(f"{end}{n}", dtype, shape) for n in range(inputs)] for end in "xy"]
    graph = helper.make_graph(nodes, "same", *ends)
    return load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8))


SAMPLES = identity(TensorProto.FLOAT, [1, 4])
TOKENS = identity(TensorProto.INT64, ["T", 1])
TWO_INPUTS = identity(TensorProto.FLOAT, [1, 4], inputs=2)


def write_wav(path: Path, samples: np.ndarray, rate: int = 16000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())


def message_of(network: Network, path: Path, sources: Sources = Sources()) -> str:  # noqa: B008 - frozen
    with pytest.raises(InputError) as refused:
        read_inputs(network, path, sources)
    return str(refused.value)


def test_npy_and_npz_give_the_same_streams(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", walk())
    np.savez(tmp_path / "b.npz", frames=walk(), labels=np.zeros(3, int))
    np.savez(tmp_path / "c.npz", x=walk(), other=np.zeros(3))
    np.savez(tmp_path / "d.npz", one=walk(), two=walk())
    for name in ("a.npy", "b.npz", "c.npz"):
        (item,) = as_streams(NETWORK, read_inputs(NETWORK, tmp_path / name))
        assert np.array_equal(item[0]["x"], walk())
    assert len(read_inputs(NETWORK, tmp_path / "d.npz", Sources(keys=("one", "two")))) == 2
    assert (
        message_of(NETWORK, tmp_path / "d.npz")
        == f"{tmp_path}/d.npz holds one, two; say which array is the input (--input-key)"
    )
    assert message_of(NETWORK, tmp_path / "d.npz", Sources(keys=("onne",))) == (
        f"{tmp_path}/d.npz has no array 'onne'; did you mean 'one'?"
    )


def test_items_of_an_array_can_be_streams_of_their_own(tmp_path: Path) -> None:
    clips = np.stack([walk(seed=seed) for seed in range(3)])
    np.save(tmp_path / "clips.npy", clips)
    together = as_streams(NETWORK, read_inputs(NETWORK, tmp_path / "clips.npy"))
    apart = as_streams(NETWORK, read_inputs(NETWORK, tmp_path / "clips.npy", Sources(separate=True)))
    assert [len(stream) for stream in together] == [3]
    assert [len(stream) for stream in apart] == [1, 1, 1]
    assert np.array_equal(apart[2][0]["x"], clips[2])


def test_recordings_become_frames(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.arange(1, 9))
    hop = Sources(recording=Recording(rate_hz=16000, hop=2))
    (frames,) = read_inputs(SAMPLES, tmp_path / "a.wav", hop)
    assert (np.asarray(frames) * 32768).tolist() == [[0, 0, 1, 2], [1, 2, 3, 4], [3, 4, 5, 6], [5, 6, 7, 8]]
    side_by_side = Recording(hop=4)
    (whole,) = read_inputs(SAMPLES, tmp_path / "a.wav", Sources(recording=side_by_side))
    assert (np.asarray(whole) * 32768).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    bins = identity(TensorProto.FLOAT, [1, 1, 3])
    (spectra,) = read_inputs(
        bins, tmp_path / "a.wav", Sources(recording=Recording(hop=4, spectrum="magnitude"))
    )
    assert np.allclose(np.asarray(spectra)[:, 0] * 32768, [10, 26])


def test_recordings_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, np.arange(1, 9), rate=8000)
    slow = Sources(recording=Recording(rate_hz=16000))
    assert (
        message_of(SAMPLES, path, slow)
        == f"{path} has 8000 samples a second, the network takes 16000; resample it"
    )
    assert message_of(SAMPLES, path) == (
        f"{path} is a recording: give the hop (--hop), the new samples in each frame of 4"
    )
    free = identity(TensorProto.FLOAT, [1, "n"])
    assert (
        message_of(free, path)
        == f"{path}: the input x0 takes frames of any size; give the window in samples (--window)"
    )
    assert message_of(SAMPLES, path, Sources(recording=Recording(window=5))) == (
        f"{path}: the input x0 takes windows of 4 samples, not 5"
    )
    assert message_of(TWO_INPUTS, path) == (
        f"{path}: the network has the inputs x0, x1; give a .npz with an array for each, "
        "or fix those that never change, and free sizes, with --bind"
    )


def test_texts_become_tokens(tmp_path: Path) -> None:
    text, vocabulary = tmp_path / "a.txt", tmp_path / "v.json"
    text.write_text("abba")
    vocabulary.write_text(json.dumps({"a": 3, "b": 1}))
    (tokens,) = read_inputs(TOKENS, text, Sources(vocabulary=vocabulary))
    assert np.asarray(tokens).tolist() == [3, 1, 1, 3]
    assert (
        message_of(TOKENS, text)
        == f"{text}: a text needs a vocabulary, a JSON file of characters to numbers (--vocab)"
    )
    assert message_of(SAMPLES, text) == f"{text}: the input x0 takes float32, not the whole numbers of a text"
    text.write_text("abc")
    assert message_of(TOKENS, text, Sources(vocabulary=vocabulary)) == (
        f"{text}: the vocabulary has no 'c' (character 2)"
    )
    text.write_bytes(b"ab\xff")
    assert (
        message_of(TOKENS, text, Sources(vocabulary=vocabulary))
        == f"{text} is not a text: byte 2 is not UTF-8"
    )
    text.write_text("")
    assert message_of(TOKENS, text, Sources(vocabulary=vocabulary)) == f"{text} is empty"


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    assert message_of(NETWORK, tmp_path / "a.npy") == f"{tmp_path}/a.npy: no such file"
    (tmp_path / "b.npy").mkdir()
    assert message_of(NETWORK, tmp_path / "b.npy") == f"{tmp_path}/b.npy is not a file"
    assert (
        message_of(NETWORK, tmp_path / "a.mp3") == f"{tmp_path}/a.mp3: inputs come as .npy, .npz, .wav, .txt"
    )
    (tmp_path / "c.npy").write_bytes(b"hello")
    assert (
        message_of(NETWORK, tmp_path / "c.npy")
        == f"{tmp_path}/c.npy is not a .npy array: damaged or of another format"
    )
    (tmp_path / "c.npz").write_bytes(b"hello")
    assert message_of(NETWORK, tmp_path / "c.npz") == (
        f"{tmp_path}/c.npz is not a zip archive: damaged, truncated or of another format"
    )


def test_arrays_are_checked_before_memory_is_taken(tmp_path: Path) -> None:
    huge = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    np.lib.format.write_array_header_1_0(huge, header)
    np.save(tmp_path / "a.npy", np.zeros(4))
    np.save(tmp_path / "o.npy", np.array([{}]), allow_pickle=True)
    assert message_of(NETWORK, tmp_path / "o.npy") == (
        f"{tmp_path}/o.npy holds Python objects, which are never loaded; save plain numbers"
    )
    for data, promised, there in (
        (huge.getvalue(), 8 << 40, 0),
        ((tmp_path / "a.npy").read_bytes()[:-1], 32, 31),
    ):
        with pytest.raises(InputError) as refused:
            read_npy(data, "a.npy")
        assert str(refused.value) == (
            f"a.npy is damaged: its header promises {promised} bytes of numbers, it has {there}"
        )
    with pytest.raises(InputError) as refused:
        read_npz(write_npz({"zeros": np.zeros(10_000)}), "bomb.npz", most_bytes=1000)
    assert str(refused.value) == "bomb.npz unpacks to 80128 bytes; at most 1000 are read"


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_damaged_archives_are_refused_or_read(data: st.DataObject) -> None:
    damaged = bytearray(write_npz({"a": np.arange(6).reshape(2, 3), "b": np.ones(3)}))
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):
        arrays = read_npz(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]), "a.npz")
        assert all(isinstance(array, np.ndarray) for array in arrays.values())


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=120))
def test_damaged_headers_are_refused(header: bytes) -> None:
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with pytest.raises(InputError):
        read_npy(data, "a.npy")


def test_labels_are_dealt_to_streams(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([2, 0]))
    (tmp_path / "b.txt").write_text("2\n0\n")
    (tmp_path / "c.txt").write_text("two words\nmore\n")
    np.savez(tmp_path / "d.npz", label=np.array([2, 0]), other=walk())
    for name in ("a.npy", "b.txt", "d.npz"):
        assert [int(label) for label in read_labels(tmp_path / name, 2)] == [2, 0]
        assert np.array_equal(read_labels(tmp_path / name, 1)[0], [2, 0])
    assert read_labels(tmp_path / "c.txt", 2) == ["two words", "more"]
    assert labelled(tmp_path / "d.npz")
    assert not labelled(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "streams", "message"),
    [
        ("a.npy", 3, "labels of shape (2,) for 3 streams; give one row a stream"),
        ("f.npy", 2, "labels of type float64; labels are whole numbers or texts"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, name: str, streams: int, message: str) -> None:
    np.save(tmp_path / "a.npy", np.array([2, 0]))
    np.save(tmp_path / "f.npy", np.array([2.0, 0]))
    with pytest.raises(DeltawaveError) as refused:
        read_labels(tmp_path / name, streams)
    assert str(refused.value) == f"{tmp_path / name} has {message}"


def test_a_written_archive_is_read_back_and_always_the_same() -> None:
    arrays = {"a": np.arange(6).reshape(2, 3), "b/0": np.array(["x", "yz"]), "empty": np.zeros((0, 2))}
    back = read_npz(write_npz(arrays), "a.npz")
    assert back.keys() == arrays.keys()
    assert all(
        np.array_equal(back[name], array) and back[name].dtype == array.dtype
        for name, array in arrays.items()
    )
    assert write_npz(arrays) == write_npz(arrays)
