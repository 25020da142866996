// Loads the phone when it is first asked for, and says clearly why when it cannot.
// What everything means is told in index.d.ts.
import init, { connect as begin } from "./dist/clinicall_client.js";

/** Errors of this package, whether they come from here or out of the WebAssembly module. */
export class ClinicallError extends Error {
  constructor(cause, message) {
    super(message);
    this.name = "ClinicallError";
    this.cause = cause;
  }

  static [Symbol.hasInstance](thing) {
    return thing?.name === "ClinicallError";
  }
}

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

/** Connects to a server and logs in. */
export async function connect(options) {
  await load();
  return begin(options);
}
