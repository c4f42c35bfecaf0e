"""The state of the code that trained a run."""

import subprocess
from pathlib import Path

FOLDERS = ("towers", "features", "studio")


def commit() -> str:
    """The checkout's commit hash, with ``-changed`` if files that matter differ from it; ``unknown`` outside a
    checkout."""
    root = Path(__file__).resolve().parent.parent
    try:
        head = git(root, "rev-parse", "HEAD")
        changed = git(root, "status", "--porcelain", "--", *FOLDERS)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("-changed" if changed else "")


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True, text=True, timeout=30)
    return done.stdout.strip()
