// Questions to the server, with the tokens that the page was opened with, in its address behind a #, where no server and no
// log sees them: #token=VIEW_OR_CONTROL or #publish=...&token=... . Without any, requests carry none.

export const UNREACHED = "The server cannot be reached. Is it still running?";

/** Why there is no list of these, in words. */
export const missing = (status, what) => (status === 404 ? `This server keeps no ${what}.` : `The ${what} cannot be read now.`);

/** What is told at an address: {status, told, why}; `told` null and `status` 0 or the reason, `why` in words, where nothing is. */
export async function ask(path, options = {}) {
  const headers = authorised("view", options.body && { "Content-Type": "application/json" });
  const response = await fetch(path, { headers, ...options }).catch(() => null);
  const said = await response?.json().catch(() => null);
  return { status: response?.status ?? 0, told: response?.ok ? said ?? null : null, why: said?.error || said?.detail || "the server cannot be reached" };
}

/** What the page's address says behind its #, or elsewhere. */
export function given(name, where = location.hash.slice(1)) { return new URLSearchParams(where).get(name) || ""; }

const tokenTo = (right) => (right === "publish" && given("publish")) || given("token");

/** Headers of a request that publishes, or that views. */
export function authorised(right, headers = {}) {
  const token = tokenTo(right);
  return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
}

/** A websocket's address, of `there` if another host is named. */
export function socketAddress(path, right, there = "") {
  const address = new URL(addressed(path, right), location.href);
  if (there) address.host = new URL(there, location.href).host;
  address.protocol = address.protocol.replace("http", "ws");
  return address;
}

/** An address with the token in its query, for what can send no headers: websockets and <audio>. */
export function addressed(path, right = "view") {
  const token = tokenTo(right);
  return token ? `${path}${path.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}` : path;
}
