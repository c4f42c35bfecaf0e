// The websocket of one session. Comes back after a hiccup; gives up when the server says that the session is over,
// unless it was asked for by its key: then it waits for the next stream of that key.

import { page } from "./key.js";
import { socketAddress } from "./ask.js";

const RETRY_MS = [250, 500, 1000, 2000, 4000];
const ABSENT_MS = 1000; // between questions whether the stream of a key has begun
const OVER = 1000;
const MOVED = 4307;
const DENIED = 4401;
const NOT_FOUND = 4404;

/** `path`: of a session, or `/events?key=KEY` if `patient`. `on` has message(object), open(), waiting(), closed(reason,
 * regular); `regular`: ended, not lost; if `patient`, absent(reason, regular, never), and reached(): the server is. */
export function listen(path, on, patient = false) {
  let [socket, moved, tries, over, timer] = [null, "", 0, false, 0];

  const later = (ms) => { timer = setTimeout(connect, ms); };

  const connect = () => {
    const address = socketAddress(path, "view", moved);
    address.searchParams.set("page", page);
    moved = "";
    let heard = false;
    socket = new WebSocket(address);
    const opened = () => { tries = 0; on.open(); };
    socket.onopen = patient ? on.reached : opened;
    socket.onmessage = ({ data }) => {
      let message;
      try { message = JSON.parse(data); } catch { return; }
      if (message?.v !== 1) return;
      if (message.type === "moved") { moved = message.events; return; }
      if (patient && !heard) opened(); // an open socket may yet say that there is no such stream
      heard = true;
      on.message(message);
    };
    socket.onclose = ({ code, reason }) => {
      if (over) return;
      if (code === MOVED && moved) return connect();
      const words = reason || (code === OVER ? "The session ended." : "The server cannot be reached any more.");
      const none = code === OVER || code === NOT_FOUND;
      if (patient && code !== DENIED) {
        on.absent(words, none, code === NOT_FOUND);
        return later(none ? ABSENT_MS : RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
      }
      if (none || code === DENIED || tries >= RETRY_MS.length) {
        over = true;
        return on.closed(words, code === OVER || code === DENIED);
      }
      on.waiting();
      return later(RETRY_MS[tries++]);
    };
  };
  connect();

  return {
    send: (message) => {
      if (socket?.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify({ v: 1, ...message }));
      return true;
    },
    close: () => { over = true; clearTimeout(timer); socket?.close(OVER); },
  };
}
