// Questions to the server.

import { authorised } from "./token.js";

/** What is told at an address: {status, told}; `told` null, and `status` 0 or the reason, where nothing is. */
export async function ask(path, options = {}) {
  const response = await fetch(path, { headers: authorised("view"), ...options }).catch(() => null);
  return { status: response?.status ?? 0, told: response?.ok ? await response.json().catch(() => null) : null };
}
