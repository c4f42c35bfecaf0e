"""The server's engine: the one that was chosen, the CPU behind it, the batcher in front; and how things stand."""

from dataclasses import replace

from engines.arguments import check_options
from engines.base import Engine
from engines.batcher import MicroBatcher
from engines.bundle import Bundle
from engines.choose import EngineOptions, choose, with_reserve
from engines.fallback import FallbackEngine, FallbackState
from engines.rows import SIZES


def open_batched(
    bundle: Bundle, name: str, options: EngineOptions, sizes: tuple[int, ...] | None
) -> tuple[MicroBatcher, str]:
    """The engine of that name, warm and shared by all sessions, and why it is that one, on a line.

    Raises the errors of engines and bundles.
    """
    options = replace(check_options(name, options), sizes=sizes)
    choice = choose(bundle, name, options)
    (taken,) = [trial for trial in choice.trials if trial.name == choice.name]
    # No window: what comes while the engine is busy is one batch, and on a CPU rows cost nearly the same alone.
    return MicroBatcher(with_reserve(choice, bundle, options), window_ms=0.0, sizes=sizes or SIZES), taken.line()


def fallback_of(engine: Engine) -> FallbackEngine | None:
    """The part of an engine that can fall back; None for one that has nothing to fall back from."""
    behind = engine.engine if isinstance(engine, MicroBatcher) else engine
    return behind if isinstance(behind, FallbackEngine) else None


def standing(engine: Engine) -> dict[str, object]:
    """For ``/healthz``, which asks nobody who they are: no error's own words, which may name files and addresses."""
    fallback = fallback_of(engine)
    if fallback is None:
        return {"in_use": _plain(engine), "degraded": False}
    state = fallback.state
    return {
        "in_use": state.in_use,
        "degraded": state.degraded,
        "for_s": round(state.for_s, 3),
        "why": state.kind,
        "fallbacks": sum(state.fallbacks.values()),
        "returns": state.returns,
        "stuck_s": round(state.stuck_s, 3),
    }


def degraded(engine: Engine) -> str:
    """What ``/readyz`` says while the reserve answers; nothing else."""
    fallback = fallback_of(engine)
    state: FallbackState | None = None if fallback is None else fallback.state
    return f"{state.reserve} answers for {state.preferred} ({state.kind})" if state and state.degraded else ""


def _plain(engine: Engine) -> str:
    return engine.engine.name if isinstance(engine, MicroBatcher) else engine.name
