"""The exceptions a user can meet.

A message names the rule, the offending value, the place and a way out. The CLI prints it as one line and exits with 2.
"""


class DeltawaveError(Exception):
    """Base of everything Deltawave raises on purpose."""


class NetworkError(DeltawaveError):
    """A network file or module that cannot be read, or breaks a rule of its format."""


class UnsupportedError(DeltawaveError):
    """A valid network that this machine, or Deltawave, does not take."""


class CapacityError(DeltawaveError):
    """A network that is too large for the machine."""


class InputError(DeltawaveError):
    """Input data of the wrong shape, type or content."""


class OptionError(DeltawaveError):
    """An unknown name or impossible value of a machine, option or file."""


class ProgramError(DeltawaveError):
    """A program file that is damaged or was made for something else."""


class ToolError(DeltawaveError):
    """A program of others (compiler, simulator, synthesis) that is missing or failed."""


class SimulationError(DeltawaveError):
    """A simulated core that waits for ever, breaks a rule of its streams, or refuses an access."""
