// The websocket of one session. Comes back after a hiccup; gives up when the server says that the session is over.

import { addressed } from "./token.js";

const RETRY_MS = [250, 500, 1000, 2000, 4000];
const FINAL = new Set([1000, 4401, 4404]); // done, not allowed, gone

/** `on` has message(object), open(), waiting(), closed(reason). Returns {send(object), close()}. */
export function listen(path, on) {
  const address = new URL(addressed(path), location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  let socket = null;
  let tries = 0;
  let over = false;
  let timer = 0;

  const connect = () => {
    socket = new WebSocket(address);
    socket.onopen = () => { tries = 0; on.open?.(); };
    socket.onmessage = ({ data }) => {
      let message;
      try { message = JSON.parse(data); } catch { return; }
      if (message?.v === 1) on.message(message);
    };
    socket.onclose = ({ code, reason }) => {
      if (over) return;
      if (FINAL.has(code) || tries >= RETRY_MS.length) {
        over = true;
        on.closed(reason || (code === 1000 ? "The session ended." : "The server cannot be reached any more."));
        return;
      }
      on.waiting?.();
      timer = setTimeout(connect, RETRY_MS[tries++]);
    };
  };
  connect();

  return {
    send: (message) => {
      if (socket?.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify({ v: 1, ...message }));
      return true;
    },
    close: () => { over = true; clearTimeout(timer); socket?.close(1000); },
  };
}
