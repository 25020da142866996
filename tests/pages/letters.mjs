// A person who reads what the clinic sends: messages, with a connection that can be cut.
import { connect } from "./pkg/index.mjs";

let phone;
let away = false;
const sockets = new Set();
const Socket = globalThis.WebSocket;
globalThis.WebSocket = class extends Socket {
  constructor(url, protocols) {
    // nobody listens on the discard port
    super(away ? "ws://127.0.0.1:9/" : url, protocols);
    sockets.add(this);
  }
};

export const heard = [];
export const gaps = [];

export async function login(options, pipes) {
  phone = await connect(options);
  phone.onGap = (pipe) => gaps.push(pipe);
  for (const pipe of pipes) {
    phone.on(pipe, ({ pipe, event, data, from }) => heard.push({ pipe, event, data, from: from ?? null }));
  }
}

export const leave = () => phone.disconnect();
export const publish = (pipe, event, data) => phone.publish(pipe, event, data);
export const presence = (what) => phone.presence(what);
export const history = (pipe) => phone.history(pipe);

// The network is gone: sockets break, new ones find nobody.
export function cut() {
  away = true;
  for (const socket of sockets) socket.close(4000);
  sockets.clear();
}

export function back() {
  away = false;
  dispatchEvent(new Event("online"));
}

export async function until(count, milliseconds = 20000) {
  const end = performance.now() + milliseconds;
  while (heard.length < count) {
    if (performance.now() > end) throw new Error(`${heard.length} of ${count}: ${JSON.stringify(heard)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // what came twice would come now
  await new Promise((resolve) => setTimeout(resolve, 300));
  return heard;
}

// --- over plain HTTP -------------------------------------------------------------------------------

export function stream(pipe) {
  const source = new EventSource(`/comet?pipes=${pipe}`);
  source.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.pipe) heard.push({ pipe, event: message.event, data: message.data, from: message.from ?? null });
  };
  return new Promise((resolve, reject) => {
    source.onopen = () => resolve();
    source.onerror = () => reject(new Error("no event stream"));
  });
}

export async function poll(pipe, after) {
  const answer = await fetch(`/comet?pipes=${pipe}&after=${after}&wait=10`);
  return answer.json();
}

export function knock(url) {
  return new Promise((resolve) => {
    const socket = new Socket(url, "clinicall.comet.v1");
    socket.onopen = () => socket.send('{"do":"hello","page":"4f"}');
    socket.onclose = ({ code, reason }) => resolve(`${code} ${reason}`);
    socket.onmessage = ({ data }) => data.includes("welcome") && resolve("welcome");
  });
}

// A listener that leaves: how the browser sees the end.
export function goodbye(url) {
  return new Promise((resolve) => {
    const socket = new Socket(url, "clinicall.comet.v1");
    socket.onopen = () => socket.send('{"do":"hello","page":"5a"}');
    socket.onmessage = () => socket.close(1000, "the visit is over");
    socket.onclose = ({ code, wasClean }) => resolve(`${code} ${wasClean}`);
  });
}
