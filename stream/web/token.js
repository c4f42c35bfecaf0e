// The tokens that the page was opened with, in its address behind a #, where no server and no log sees them:
// #token=VIEW_OR_CONTROL or #publish=...&token=... . Without any, requests carry none.

function given(name) {
  return new URLSearchParams(location.hash.slice(1)).get(name) || "";
}

/** Headers of a request that publishes, or that views. */
export function authorised(right, headers = {}) {
  const token = right === "publish" ? given("publish") || given("token") : given("token");
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
  const token = (right === "publish" && given("publish")) || given("token");
  return token ? `${path}${path.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}` : path;
}
