"""The server's engine: the chosen one, the CPU behind it, the batcher in front; and its state."""

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
    """The engine of that name, warm and shared by all sessions, and one line that says why it was chosen.

    Raises the errors of engines and bundles.
    """
    options = replace(check_options(name, options), sizes=sizes)
    choice = choose(bundle, name, options)
    (chosen,) = [trial for trial in choice.trials if trial.name == choice.name]
    # No window: requests that come while the engine is busy become one batch, and on a CPU batching saves little.
    return MicroBatcher(with_reserve(choice, bundle, options), window_ms=0.0, sizes=sizes or SIZES), chosen.line()


def fallback_of(engine: Engine) -> FallbackEngine | None:
    """The part of an engine that can fall back; None for an engine without a reserve."""
    behind = engine.engine if isinstance(engine, MicroBatcher) else engine
    return behind if isinstance(behind, FallbackEngine) else None


def engine_state(engine: Engine) -> dict[str, object]:
    """The engine's state for ``/healthz``, which needs no token: without error texts, which may name files or
    addresses."""
    fallback = fallback_of(engine)
    if fallback is None:
        return {"in_use": _engine_name(engine), "degraded": False}
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
    """What ``/readyz`` says while the reserve answers; empty otherwise."""
    fallback = fallback_of(engine)
    state: FallbackState | None = None if fallback is None else fallback.state
    return f"{state.reserve} answers for {state.preferred} ({state.kind})" if state and state.degraded else ""


def _engine_name(engine: Engine) -> str:
    return engine.engine.name if isinstance(engine, MicroBatcher) else engine.name
