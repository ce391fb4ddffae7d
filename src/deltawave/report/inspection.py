"""What a network is made of, and what each machine takes of it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from deltawave.errors import DeltawaveError
from deltawave.machines.base import Machine, MachineFigure
from deltawave.machines.program import compile_network, look
from deltawave.network import Network, Tensor
from deltawave.network.layers import Cell, Layer, Opaque, Recurrent
from deltawave.report.report import by_reason
from deltawave.report.tables import listed, percent, plain, quantity, rendered, shortened, table, whole


@dataclass(frozen=True)
class Taken:
    """What a machine takes: whether it runs the network at all, why not, and its word on every layer with weights.

    `bounds`: what it knows of a step's time before a run.
    """

    machine: str
    runs: bool
    reason: str
    operations_share: float
    layers: dict[str, tuple[bool, str]]
    bounds: tuple[MachineFigure, ...] = ()


@dataclass(frozen=True, eq=False)
class Inspection:
    """A network seen by people and by machines."""

    network: Network
    taken: tuple[Taken, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, ready for JSON."""
        network = self.network
        return {
            "network": network.name,
            "inputs": [_tensor_dict(tensor) for tensor in network.inputs],
            "outputs": [_tensor_dict(tensor) for tensor in network.outputs],
            "states": {pair.input.name: pair.output.name for pair in network.states},
            "layers": [_layer_dict(layer) for layer in network.layers],
            "machines": [asdict(taken) for taken in self.taken],
        }

    def text(self, width: int = 100) -> str:
        """Tables for people."""
        return rendered(*_parts(self), width=width)

    def __str__(self) -> str:
        return self.text()


def inspect(network: Network, machines: Sequence[Machine]) -> Inspection:
    """Look at a network with the eyes of machines: each compiles it, so that what does not fit is found, too."""
    return Inspection(network, tuple(_taken(network, machine) for machine in machines))


def _taken(network: Network, machine: Machine) -> Taken:
    looked_at = look(network, machine)
    verdicts = {layer.name: looked_at[layer.name][0] for layer in _weighty(network)}
    work = {layer.name: layer.operations for layer in _weighty(network)}
    share = sum(work[name] for name, verdict in verdicts.items() if verdict.takes) / max(
        sum(work.values()), 1
    )
    layers = {name: (verdict.takes, verdict.reason) for name, verdict in verdicts.items()}
    try:
        program = compile_network(network, machine)
    except DeltawaveError as error:
        return Taken(machine.name, False, str(error), share, layers)
    return Taken(machine.name, True, "", share, layers, machine.bounds(list(program.cells.values())))


def _weighty(network: Network) -> list[Layer]:
    return [layer for layer in network.layers if layer.parameters]


def _parts(inspection: Inspection) -> Iterator[RenderableType]:
    network = inspection.network
    yield "\n".join(_head(network))
    yield _layer_table(network)
    work = "known operations" if _uncounted(network) else "operations"
    for taken in inspection.taken:
        yield listed(taken.machine, "-", _machine_lines(taken, work, _step(network)))


def _head(network: Network) -> Iterator[str]:
    parameters = sum(layer.parameters for layer in network.layers)
    operations = sum(layer.operations for layer in network.layers)
    least = "at least " if _uncounted(network) else ""
    yield f"{network.name}: {whole(parameters)} parameters, {least}{quantity(operations, 'op')} {_step(network)}"
    yield from (f"input   {_tensor_text(tensor)}" for tensor in network.inputs)
    yield from (f"output  {_tensor_text(tensor)}" for tensor in network.outputs)
    yield from (f"state   {pair.input.name} <- {pair.output.name}" for pair in network.states)
    if any(layer.kind == "If" for layer in network.layers):
        yield "hint    inputs and free sizes that never change can be fixed, and branches with them: --bind NAME=VALUE"


def _step(network: Network) -> str:
    """What the figures of one step are for."""
    return "a step" if any(isinstance(layer, Recurrent) for layer in network.layers) else "a call"


def _uncounted(network: Network) -> bool:
    """Whether there are layers of which nobody knows the operations."""
    return any(layer.operations == 0 for layer in _weighty(network))


def _tensor_text(tensor: Tensor) -> str:
    return f"{tensor.name}: {tensor.dtype} [{', '.join(map(str, tensor.shape))}]"


def _layer_table(network: Network) -> Table:
    """Layers with weights, or with something to say, one by one; runs of others in one line."""
    grid = table("layer", "kind", "what", "parameters", "operations", texts=(0, 1, 2))
    others: list[str] = []
    for layer in network.layers:
        if layer.parameters or (isinstance(layer, Opaque) and layer.why):
            _add_others(grid, others)
            operations = whole(layer.operations) if layer.operations else "unknown"
            grid.add_row(
                shortened(layer.name), layer.kind, describe(layer), whole(layer.parameters), operations
            )
        else:
            others.append(layer.kind)
    _add_others(grid, others)
    return grid


def _add_others(grid: Table, kinds: list[str]) -> None:
    if kinds:
        grid.add_row("", f"{len(kinds)} other", ", ".join(dict.fromkeys(kinds)), "", "")
        kinds.clear()


def describe(layer: Layer) -> str:
    """A layer's shape and what is special about it, in words."""
    if isinstance(layer, Recurrent):
        return ", ".join(_recurrent_words(layer))
    why = layer.why if isinstance(layer, Opaque) else ""
    return ", ".join(part for part in (layer.shape, why) if part)


def _recurrent_words(layer: Recurrent) -> Iterator[str]:
    cell = layer.cells[0]
    yield f"{cell.inputs} -> {cell.hidden}"
    if len(layer.cells) == 2:
        yield "both directions"
    elif cell.reverse:
        yield "backwards"
    if layer.carried:
        yield "state carried"
    yield from _cell_words(cell)


def _cell_words(cell: Cell) -> Iterator[str]:
    usual = {"gru": ("sigmoid", "tanh"), "lstm": ("sigmoid", "tanh", "tanh"), "rnn": ("tanh",)}[cell.kind]
    if cell.kind == "gru":
        yield f"reset {cell.reset} the product"
    if cell.kind != "rnn" and cell.activations[: len(usual)] != usual:
        yield "activations " + ", ".join(cell.activations[: len(usual)])
    if cell.peepholes is not None:
        yield "peepholes"
    if cell.clip is not None:
        yield f"clipped at {cell.clip:g}"


def _machine_lines(taken: Taken, work: str, step: str) -> Iterator[str]:
    if not taken.runs:
        yield f"no: {taken.reason}"
        return
    yield f"takes {percent(taken.operations_share)} of the {work}"
    takes, leaves = (
        {n: why for n, (takes, why) in taken.layers.items() if takes == side} for side in (True, False)
    )
    for reason, names in by_reason(takes).items():
        yield f"takes {names}" + (f" ({reason})" if reason else "")
    for reason, names in by_reason(leaves).items():
        yield f"leaves {names} to the host: {reason}"
    if taken.bounds:
        yield f"{step}: " + "; ".join(f"{b.name} {plain(b.value)} {b.unit}s" for b in taken.bounds)


def _tensor_dict(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}


def _layer_dict(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "what": describe(layer),
        "parameters": layer.parameters,
        "operations": layer.operations,
    }
