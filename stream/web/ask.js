// Questions to the server.

import { authorised } from "./token.js";

export const UNREACHED = "The server cannot be reached. Is it still running?";

/** What is told at an address: {status, told, why}; `told` null and `status` 0 or the reason, `why` in words, where nothing is. */
export async function ask(path, options = {}) {
  const headers = authorised("view", options.body && { "Content-Type": "application/json" });
  const response = await fetch(path, { headers, ...options }).catch(() => null);
  const said = await response?.json().catch(() => null);
  return { status: response?.status ?? 0, told: response?.ok ? said ?? null : null, why: said?.error || said?.detail || "the server cannot be reached" };
}
