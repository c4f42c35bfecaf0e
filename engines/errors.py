"""What the user of an engine or of a bundle can mend. Every text names the input, the cause and the cure."""


class EngineError(ValueError):
    """Base of this folder's errors: an input that a graph does not take, or an engine that cannot be used."""


class BundleError(EngineError):
    """A folder that is not a bundle, is damaged, or contradicts itself or this version of segue."""


class EngineBusy(EngineError):  # noqa: N818 - a state of the engine, read as such by callers
    """The queue in front of an engine is at its bound; try again later or ask for less."""


class EngineLate(EngineBusy):
    """A request's deadline passed before the engine came to it; it was dropped and not run, since nobody waits for
    its answer."""


class EngineClosed(EngineError):  # noqa: N818
    """The engine was closed before the request could be run."""


class EngineUnavailable(EngineError):  # noqa: N818
    """This engine cannot be opened on this machine: a package, driver, device or server is missing or unfit."""


class EngineFailed(EngineError):  # noqa: N818
    """A valid request that the engine could not answer: no memory left, device or server lost, a result is NaN."""
