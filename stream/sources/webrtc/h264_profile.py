"""Which H.264 is accepted, by the ``fmtp`` parameters of a payload type (RFC 6184, section 8.1).

FFmpeg decodes every profile that is in use; of the Extended profile only streams that are also Baseline or Main. Units
may be sent one in a packet or non-interleaved (packetization-mode 0 and 1).
"""

import re
from typing import Final

BASELINE_LEVEL_1: Final = "42000a"  # the default of profile-level-id
PROFILES: Final = {
    66: "Baseline",
    77: "Main",
    100: "High",
    110: "High 10",
    122: "High 4:2:2",
    244: "High 4:4:4 Predictive",
    44: "CAVLC 4:4:4 Intra",
}
OTHERS: Final = {
    88: "Extended",
    83: "Scalable Baseline",
    86: "Scalable High",
    118: "Multiview High",
    128: "Stereo High",
}
EXTENDED: Final = 88
BASELINE_OR_MAIN: Final = 0xC0  # constraint_set0_flag, constraint_set1_flag
ANSWERED: Final = ("level-asymmetry-allowed", "packetization-mode", "profile-level-id")
TAKEN: Final = "Baseline, Main and High, packetization-mode 0 or 1"


def parameters_of(fmtp: str) -> dict[str, str]:
    """``name=value`` pairs behind ``;``, names in lower case; a name alone has an empty value."""
    pairs = (pair.partition("=") for pair in fmtp.split(";") if pair.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def refusal(parameters: dict[str, str]) -> str:
    """Why H.264 with these parameters cannot be received, in words; empty where it can."""
    mode = parameters.get("packetization-mode", "0")
    if mode not in ("0", "1"):
        return f"packetization-mode={mode[:20]}"
    level_id = parameters.get("profile-level-id", BASELINE_LEVEL_1)
    if not re.fullmatch("[0-9a-fA-F]{6}", level_id):
        return f"profile-level-id={level_id[:20]}, which is not six hexadecimal digits"
    profile, constraints = int(level_id[:2], 16), int(level_id[2:4], 16)
    if profile in PROFILES or (profile == EXTENDED and constraints & BASELINE_OR_MAIN):
        return ""
    return f"profile-level-id={level_id}: {OTHERS.get(profile, f'profile {profile}')}"


def answer_to(parameters: dict[str, str]) -> str:
    """The ``fmtp`` of an answer: the same profile, mode and level as offered (RFC 6184, section 8.2.2); empty for an
    offer without them."""
    return ";".join(f"{name}={parameters[name]}" for name in ANSWERED if name in parameters)
