#!/usr/bin/env bash
# Chromium: with "max-bundle", the first section of an offer cannot be declined.
#
# Versions: Chromium 156 (headless, the one on PATH), driven by Playwright 1.55.0,
# Python 3.11.
#
# Expected: who answers an offer of audio and video can decline either of the two
# (port 0, left out of the BUNDLE group) and take the other, whatever the
# offering page's bundlePolicy. Chromium's offer looks the same under each policy:
# both sections have a port, neither is marked bundle-only.
#
# Seen: under "balanced" and "max-compat" an answer that declines the first
# section is taken, and so is one that declines the second. Under "max-bundle"
# setRemoteDescription fails with "Failed to setup RTCP mux" if it is the first
# that is declined, and succeeds if it is the second.
#
# What it means: a server that takes only video cannot decline the audio of a page
# which uses "max-bundle" and adds its audio first: the session never starts. Let
# the server take the first section and send nothing back on it, or let the page
# add its video first or use another policy.
#
# Exit status: 0 if the behaviour is as described here, 77 if there is no
# chromium to try it with, otherwise another number.
set -euo pipefail

if ! chromium=$(command -v chromium); then
    echo "nothing was tried: this needs chromium on PATH" >&2
    exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check playwright==1.55.0

cat > show.py <<'PY'
import sys

from playwright.sync_api import sync_playwright

DECLINE = """async ([policy, declined]) => {
    const lines = sdp => sdp.split("\\r\\n")
        .filter(line => /^(m=|a=group|a=bundle-only)/.test(line))
        .map(line => line.split(" UDP")[0]).join(", ");
    const page = new RTCPeerConnection({bundlePolicy: policy});
    const server = new RTCPeerConnection();
    try {
        page.addTransceiver("audio", {direction: "sendonly"});
        page.addTransceiver("video", {direction: "sendonly"});
        await page.setLocalDescription();
        await server.setRemoteDescription(page.localDescription);
        const answer = await server.createAnswer();
        const parts = answer.sdp.split(/(?=^m=)/m);
        parts[0] = parts[0].replace(/^a=group:BUNDLE .*$/m, "a=group:BUNDLE " + (1 - declined));
        parts[1 + declined] = parts[1 + declined]
            .replace(/^m=(\\w+) 9 /, "m=$1 0 ").replace(/^a=recvonly/m, "a=inactive");
        const sdp = parts.join("");
        let result = "accepted";
        try {
            await page.setRemoteDescription({type: "answer", sdp});
        } catch (error) {
            result = String(error);
        }
        return [lines(page.localDescription.sdp), lines(sdp), result];
    } finally {
        page.close();
        server.close();
    }
}"""

seen, offers = {}, set()
with sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
    print("Chromium", browser.version)
    tab = browser.new_page()
    for policy in ("balanced", "max-compat", "max-bundle"):
        for declined in (0, 1):
            offer, answer, result = tab.evaluate(DECLINE, [policy, declined])
            offers.add(offer)
            seen[policy, declined] = result
            print("  %s, section %d declined" % (policy, declined + 1))
            print("    offer:  ", offer)
            print("    answer: ", answer)
            print("    result: ", result)
    browser.close()

failed = seen.pop(("max-bundle", 0))
if offers != {"a=group:BUNDLE 0 1, m=audio 9, m=video 9"}:
    raise SystemExit("the behaviour has changed")
if set(seen.values()) != {"accepted"} or "Failed to setup RTCP mux" not in failed:
    raise SystemExit("the behaviour has changed")
print("as described: only the first section under max-bundle cannot be declined")
PY
timeout 60 venv/bin/python show.py "$chromium"
