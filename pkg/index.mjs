// Loads the phone when it is first asked for, and says clearly why when it cannot.
// What everything means is told in index.d.ts.
import init, { connect as begin, Phone } from "./dist/clinicall_client.js";
import { ClinicallError } from "./error.mjs";

export { ClinicallError };

let loading;

/** Fetches and compiles the module, once; a page may call it early to save the time later. */
export function load(module) {
  loading ??= fetchModule(module).catch((error) => {
    // the next try may have a network
    loading = undefined;
    throw error;
  });
  return loading;
}

async function fetchModule(module) {
  if (typeof WebAssembly !== "object") {
    throw new ClinicallError("NotSupported", "This browser has no WebAssembly, which calls need.");
  }
  // this very form is what bundlers recognise as a file of ours to take along
  module ??= new URL("./dist/clinicall_client_bg.wasm", import.meta.url);
  try {
    await init({ module_or_path: module });
  } catch (error) {
    const message = `The phone could not be loaded: ${error?.message ?? error}`;
    throw new ClinicallError("LoadFailed", message);
  }
}

// Messages: the module carries frames, keeps count and resumes; JSON is the browser's own.
const ask = (phone, request) => phone.ask(JSON.stringify(request));

Object.assign(Phone.prototype, {
  on(pipe, handler) {
    const pipes = (this.handlers ??= new Map());
    const known = pipes.get(pipe) ?? new Set();
    // of its own, so that a function given twice is heard twice and left once
    const one = (message) => handler(message);
    known.add(one);
    pipes.set(pipe, known);
    if (known.size === 1) this.listen(pipe);
    return () => {
      if (known.delete(one) && known.size === 0) {
        pipes.delete(pipe);
        this.leave(pipe);
      }
    };
  },
  // called by the module
  heard(message) {
    for (const handler of [...(this.handlers?.get(message.pipe) ?? [])]) {
      try {
        handler(message);
      } catch (error) {
        reportError(error);
      }
    }
  },
  async publish(pipe, event, data = null, anonymous = false) {
    const { listeners } = await ask(this, { do: "publish", pipe, event, data, anonymous });
    return listeners;
  },
  async history(pipe, limit) {
    return (await ask(this, { do: "history", pipe, limit })).messages;
  },
  async presence(what) {
    if (Array.isArray(what)) return (await ask(this, { do: "seen", users: what.map(String) })).seen;
    const { count, listeners } = await ask(this, { do: "presence", pipe: what });
    return { count, listeners };
  },
});

/** Connects to a server and logs in. */
export async function connect(options) {
  await load();
  return begin(options);
}
