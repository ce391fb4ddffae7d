"""Options that several commands share, declared once as the fields of a dataclass."""

import dataclasses
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

Command = Callable[..., None]


def flag(*names: str, help: str, **settings: Any) -> Any:
    """A field that is a command line option of these names; `settings` are those of `click.option`."""
    default = () if settings.get("multiple") else settings.pop("default", None)
    return dataclasses.field(
        default=default, metadata={"names": names, "settings": {"help": help, **settings}}
    )


def bundled(parameter: str, bundle: type) -> Callable[[Command], Command]:
    """Give a command the options of a dataclass; it gets them as one argument."""

    def decorate(command: Command) -> Command:
        fields = dataclasses.fields(bundle)

        @wraps(command)
        def with_bundle(**values: Any) -> None:
            own = {field.name: values.pop(field.name) for field in fields}
            command(**values, **{parameter: bundle(**own)})

        for field in reversed(fields):
            declare = click.option(
                *field.metadata["names"], field.name, default=field.default, **field.metadata["settings"]
            )
            with_bundle = declare(with_bundle)
        return with_bundle

    return decorate
