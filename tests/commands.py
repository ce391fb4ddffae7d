"""Runs the command line inside a test."""

from pathlib import Path

import onnx
from click.testing import CliRunner, Result

from deltawave.cli import group
from deltawave.network import Network


def deltawave(*arguments: object) -> Result:
    """The result of `deltawave ARGUMENTS`: exit_code, stdout, stderr."""
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


def succeeds(*arguments: object) -> str:
    """What a command that must succeed prints."""
    result = deltawave(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def refusal(*arguments: object) -> str:
    """The one line with which a command must refuse, without its mark."""
    result = deltawave(*arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("error: ").rstrip("\n")


def write_model(network: Network, path: Path) -> Path:
    """Write a network's file."""
    onnx.save(network.original, path)
    return path
