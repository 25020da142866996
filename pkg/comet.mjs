// Messages for pages without a phone, over a socket of their own. By hand and without WebAssembly:
// what a page needs of the protocol (comet/src/wire.rs) is less than the module's loader.
// What everything means is told in comet.d.ts.
import { ClinicallError } from "./error.mjs";

export { ClinicallError };

const PROTOCOL = "clinicall.comet.v1";
const FIRST_WAIT = 300;
const LONGEST_WAIT = 30_000;
/** Requests that may wait for an answer; the relay remembers that many publications of a page. */
const PENDING = 32;
/** Longer than the relay's pings are apart; browsers do not show them, so a frame is asked for. */
const QUIET = 60_000;

/** `EPOCH-OFFSET`: is `at` news to somebody who has `have`? */
function isNews(at, have) {
  const [epoch, offset] = at.split("-");
  const [known, last] = (have ?? "").split("-");
  return epoch !== known || Number(offset) > Number(last);
}

class Comet {
  state = "connecting";
  onState = null;
  onGap = null;
  onRefused = null;
  #options;
  #page = randomName();
  /** Each pipe's handlers and position. */
  #pipes = new Map();
  /** What was asked and not answered: the frame, and who waits. */
  #asked = new Map();
  #next = 1;
  #socket = null;
  #failures = 0;
  #alarm = 0;
  #missed = 0;
  #ack = null;
  /** The relay's last word. */
  #bye;
  /** It said when to come again, in milliseconds. */
  #wait;
  /** Those who wait for a login: the first, then one for each newer token. */
  #logins = [];
  #online = () => this.#open();

  constructor(options) {
    this.#options = { ...options };
    globalThis.addEventListener?.("online", this.#online);
  }

  login() {
    return new Promise((resolve, reject) => {
      this.#logins.push({ resolve, reject });
      this.#open();
    });
  }

  on(pipe, handler) {
    const known = this.#pipes.get(pipe);
    const { handlers } = known ?? { handlers: new Set() };
    // of its own, so that a function given twice is heard twice and left once
    const one = (message) => handler(message);
    handlers.add(one);
    if (!known) {
      this.#pipes.set(pipe, { handlers, have: null });
      this.#say({ do: "listen", id: this.#next++, pipes: { [pipe]: null } });
    }
    return () => {
      if (handlers.delete(one) && handlers.size === 0) {
        this.#pipes.delete(pipe);
        this.#say({ do: "leave", pipes: [pipe] });
      }
    };
  }

  async publish(pipe, event, data = null, anonymous = false) {
    const answer = await this.#ask({ do: "publish", pipe, event, data, anonymous });
    // our own has its place: the relay does not send it back
    const known = this.#pipes.get(pipe);
    const sameLife = known?.have?.split("-")[0] === answer.pos.split("-")[0];
    if (sameLife && isNews(answer.pos, known.have)) known.have = answer.pos;
    return answer.listeners;
  }

  async history(pipe, limit) {
    return (await this.#ask({ do: "history", pipe, limit })).messages;
  }

  async presence(what) {
    if (Array.isArray(what)) return (await this.#ask({ do: "seen", users: what.map(String) })).seen;
    const { count, listeners } = await this.#ask({ do: "presence", pipe: what });
    return { count, listeners };
  }

  async setToken(token) {
    if (this.state === "failed" || this.state === "disconnected") throw over();
    const before = this.#options;
    this.#options = { server: before.server, token };
    if (this.state !== "connected") return;
    try {
      await new Promise((resolve, reject) => {
        this.#logins.push({ resolve, reject });
        this.#say(this.#hello());
      });
    } catch (error) {
      this.#options = before;
      throw error;
    }
  }

  disconnect() {
    this.#end("disconnected", over());
    this.#socket?.close(1000);
    this.#socket = null;
  }

  #open() {
    clearTimeout(this.#alarm);
    if (this.#socket || this.state === "failed" || this.state === "disconnected") return;
    let socket;
    try {
      socket = new WebSocket(this.#options.server, PROTOCOL);
    } catch (error) {
      return this.#end("failed", new ClinicallError("BadOption", String(error?.message ?? error)));
    }
    this.#socket = socket;
    const ours = (act) => (event) => socket === this.#socket && act(event);
    socket.onopen = ours(() => this.#say(this.#hello()));
    socket.onmessage = ours(({ data }) => this.#hear(JSON.parse(data)));
    socket.onclose = ours(({ reason }) => this.#lost(reason));
    this.#watch();
  }

  #hello() {
    const { token, user, key } = this.#options;
    const login = token ? { token } : { user: user && String(user), key };
    return { do: "hello", page: this.#page, ...login };
  }

  #say(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  #ask(request) {
    return new Promise((resolve, reject) => {
      if (this.state === "failed" || this.state === "disconnected") return reject(over());
      if (this.#asked.size >= PENDING) {
        return reject(new ClinicallError("TooMany", "That was too much at a time."));
      }
      const frame = { ...request, id: this.#next++ };
      this.#asked.set(frame.id, { frame, resolve, reject });
      if (this.state === "connected") this.#say(frame);
    });
  }

  // A socket that is half open is found by asking: any answer will do.
  #watch() {
    clearTimeout(this.#alarm);
    const socket = this.#socket;
    this.#alarm = setTimeout(() => {
      this.#say({ do: "seen", id: 0, users: [] });
      this.#alarm = setTimeout(() => {
        if (socket !== this.#socket) return;
        socket.close();
        this.#lost("");
      }, 10_000);
    }, QUIET);
  }

  #hear(frame) {
    this.#watch();
    if (frame.pipe) return this.#message(frame);
    if ("welcome" in frame) return this.#welcome();
    if ("bye" in frame) {
      this.#bye = frame.bye;
      return;
    }
    if (frame.re === null) return this.#refused(frame);
    if (frame.pipes) return this.#listening(frame);
    const asked = this.#asked.get(frame.re);
    this.#asked.delete(frame.re);
    if (frame.error) asked?.reject(new ClinicallError(frame.error, frame.text));
    else asked?.resolve(frame);
  }

  #welcome() {
    this.#logins.shift()?.resolve();
    if (this.state === "connected") return;
    this.#failures = 0;
    this.#missed = 0;
    this.#ack = null;
    this.#turn("connected");
    const have = [...this.#pipes].map(([pipe, { have }]) => [pipe, have]);
    if (have.length) this.#say({ do: "listen", id: this.#next++, pipes: Object.fromEntries(have) });
    // what was published before, too: the relay knows by the number
    for (const { frame } of this.#asked.values()) this.#say(frame);
  }

  // Nothing was asked by number: it is about the login.
  #refused({ error, text, wait }) {
    const why = new ClinicallError(error, text);
    if (this.state === "connected") return this.#logins.shift()?.reject(why);
    const passes = error === "TooManyTries" || error === "Unavailable";
    // a page that was in once comes back when the relay says
    if (this.state === "connecting" || !passes) this.#end("failed", why);
    else if (wait) this.#wait = wait * 1000;
  }

  #listening({ pipes, gaps, refused, missed }) {
    for (const [pipe, at] of Object.entries(pipes)) {
      const known = this.#pipes.get(pipe);
      if (known && isNews(at, known.have)) known.have = at;
      if (gaps.includes(pipe)) tell(this.onGap, pipe);
    }
    for (const [pipe, why] of Object.entries(refused)) {
      this.#pipes.delete(pipe);
      tell(this.onRefused, pipe, why);
    }
    this.#missed += missed;
  }

  #message(message) {
    this.#missed = Math.max(0, this.#missed - 1);
    const known = this.#pipes.get(message.pipe);
    if (known && isNews(message.pos, known.have)) {
      known.have = message.pos;
      if (message.pipe === "msg") this.#ack = message.pos;
      for (const handler of [...known.handlers]) tell(handler, message);
    }
    if (this.#missed === 0 && this.#ack) {
      this.#say({ do: "ack", pos: this.#ack });
      this.#ack = null;
    }
  }

  #lost(reason) {
    clearTimeout(this.#alarm);
    this.#socket = null;
    if (this.#bye === "Revoked" || this.#bye === "Expired") {
      const text = this.#bye === "Expired" ? "The token has expired." : "The login was taken back.";
      return this.#end("failed", new ClinicallError(this.#bye, text));
    }
    this.#bye = undefined;
    if (this.state === "failed" || this.state === "disconnected") return;
    if (this.state === "connecting") {
      const text = reason || "The server could not be reached.";
      return this.#end("failed", new ClinicallError("ConnectionFailed", text));
    }
    if (this.state === "connected") this.#turn("reconnecting");
    const longest = Math.min(FIRST_WAIT << Math.min(this.#failures++, 10), LONGEST_WAIT);
    const wait = this.#wait ?? longest * (0.5 + Math.random() / 2);
    this.#wait = undefined;
    this.#alarm = setTimeout(() => this.#open(), wait);
  }

  #end(state, why) {
    clearTimeout(this.#alarm);
    globalThis.removeEventListener?.("online", this.#online);
    if (this.state === "failed" || this.state === "disconnected") return;
    this.#turn(state, why);
    for (const { reject } of [...this.#logins.splice(0), ...this.#asked.values()]) reject(why);
    this.#asked.clear();
  }

  #turn(state, why) {
    this.state = state;
    tell(this.onState, state, ...(state === "failed" ? [why] : []));
  }
}

// `crypto.randomUUID` is for secure pages alone, and a clinic tries things out on others too.
const randomName = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const over = () => new ClinicallError("NotConnected", "There is no connection to the server any more.");

// The page's mistake belongs into the page's console, and must not stop the others.
function tell(callback, ...news) {
  try {
    callback?.(...news);
  } catch (error) {
    reportError(error);
  }
}

/** Connects and logs in. */
export async function connectComet(options) {
  const comet = new Comet(options);
  await comet.login();
  return comet;
}
