"""Components that are written as Verilog once, however often a design has them.

Amaranth spells every submodule out again, so that text and time grow with lanes and tables. Inside `sharing`, equal
components become instances of one module; elsewhere, as in Amaranth's own simulator, each is a plain submodule.
"""

import re
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

TOP = "attribute \\top 1\n"
KEPT = "attribute \\keep_hierarchy 1\n"
"""Else a synthesis that flattens works on every instance again."""
CLOCKED = re.compile(r"^  wire width 1 input \d+  ?\\clk$", re.MULTILINE)
CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True)
class SharedModule:
    """A component's module: its name, its signature, and whether it has a clock."""

    name: str
    signature: Any
    is_clocked: bool


@dataclass
class SharedModules:
    """Those of one design, whose name theirs begin with, so that designs can be in one simulation."""

    design: str
    texts: list[str] = field(default_factory=list)
    """RTLIL of each, those that others consist of first."""
    _found: dict[Hashable, SharedModule] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def module(self, of: Callable[..., Any], arguments: tuple[Hashable, ...]) -> SharedModule:
        """That of `of(*arguments)`: made now, or before."""
        key = of, arguments
        if key not in self._found:
            self._found[key] = self._made(self._name(of.__name__), of(*arguments))
        return self._found[key]

    def _made(self, name: str, component: Any) -> SharedModule:
        from amaranth.back import rtlil

        text = str(rtlil.convert(component, name=name, emit_src=False))
        self.texts.append(text.replace(TOP, KEPT, 1))
        return SharedModule(name, component.signature, CLOCKED.search(text) is not None)

    def _name(self, component: str) -> str:
        """core_lane, core_lane_2, ...: none of the design's own, which are core and core.[...]."""
        stem = f"{self.design}_{CAPITAL.sub('_', component).lower()}"
        count = self._counts[stem] = self._counts.get(stem, 0) + 1
        return stem if count == 1 else f"{stem}_{count}"


_sharing: ContextVar[SharedModules | None] = ContextVar("sharing", default=None)


@contextmanager
def sharing(design: str) -> Iterator[SharedModules]:
    """Components are shared among all that is elaborated inside; the modules are complete after it."""
    modules = SharedModules(design)
    token = _sharing.set(modules)
    try:
        yield modules
    finally:
        _sharing.reset(token)


def shared(m: Any, name: str, of: Callable[..., Any], *arguments: Hashable) -> Any:
    """Adds the component `of(*arguments)` to module m as its submodule `name`; returns what has its ports.

    Equal arguments make equal components: an array is an argument by its identity, or as a tuple of its values.
    """
    modules = _sharing.get()
    if modules is None:
        component = m.submodules[name] = of(*arguments)
        return component
    module = modules.module(of, arguments)
    ports = module.signature.create(path=(name,))
    m.submodules[name] = _instance(module, ports)
    return ports


def _instance(module: SharedModule, ports: Any) -> Any:
    from amaranth import ClockSignal, Instance, ResetSignal
    from amaranth.lib.wiring import In

    clock = [("i", "clk", ClockSignal()), ("i", "rst", ResetSignal())] if module.is_clocked else []
    members = [
        ("i" if member.flow == In else "o", "__".join(map(str, path)), value)
        for path, member, value in module.signature.flatten(ports)
    ]
    return Instance(module.name, *clock, *members)
