// A call button that works before the phone is there: a press asks for microphone and camera at once, while the phone
// is still being fetched. What everything means is told in button.d.ts.
import { ClinicallError } from "./error.mjs";

export { ClinicallError };

// a form that bundlers recognise as a file of its own
const fetchPhone = () =>
  import("./index.mjs").catch((error) => {
    throw new ClinicallError("LoadFailed", `The phone could not be loaded, reload the page: ${error?.message ?? error}`);
  });

// The names of Media Capture and Streams section 10.2, `getUserMedia`, and what the phone would say of them.
const CAUSES = {
  NotAllowedError: "MediaDenied",
  SecurityError: "MediaDenied",
  NotFoundError: "NoDevice",
  OverconstrainedError: "NoDevice",
  NotReadableError: "DeviceBusy",
  AbortError: "DeviceBusy",
};
const SENTENCES = {
  MediaDenied: "The browser was not allowed to use the microphone or camera.",
  NoDevice: "No microphone or camera was found.",
  DeviceBusy: "The microphone or camera is in use by another program.",
  BrowserFailed: "The browser could not set up the call.",
  NotSupported: "This browser cannot make calls from this page.",
};
const refused = (cause) => new ClinicallError(cause, SENTENCES[cause]);

// as the phone asks for it
const FACE = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };

async function capture({ audio = true, video = false }, counts) {
  // absent on pages without HTTPS
  if (!navigator.mediaDevices) throw refused("NotSupported");
  const ask = (video) => navigator.mediaDevices.getUserMedia({ audio, video });
  try {
    return await ask(video && FACE).catch((error) => {
      // whose camera is missing, taken or refused is heard all the same
      if (audio && video && counts()) return ask(false);
      throw error;
    });
  } catch (error) {
    throw refused(CAUSES[error?.name] ?? "BrowserFailed");
  }
}

const stop = (stream) => stream.getTracks().forEach((track) => track.stop());

// a page's callback that throws is the page's affair
const guarded = (callback) => (...words) => {
  try {
    callback?.(...words);
  } catch (error) {
    reportError(error);
  }
};

/** Makes an element of the page a call button. */
export function callButton(element, { options, to, media = {}, load = "idle", ...callbacks }) {
  const [onStream, onCall, onState, onError] = ["onStream", "onCall", "onState", "onError"].map((name) =>
    guarded(callbacks[name] ?? (name === "onError" ? reportError : undefined)),
  );
  // the press that counts; none once it is taken back or has become a call
  let press;
  let phone;
  let call;

  const state = () => (press ? "loading" : "idle");
  const turn = (to) => {
    press = to;
    element.dataset.state = state();
    element.setAttribute("aria-busy", String(Boolean(press)));
    onState(state());
  };

  const connected = async (counts) => {
    if (phone && phone.state !== "failed" && phone.state !== "disconnected") return;
    const { connect } = await fetchPhone();
    const come = await connect(typeof options === "function" ? await options() : options);
    // nobody waits for it any more: it is not to be rung
    if (counts()) phone = come;
    else come.disconnect();
  };

  const begin = async () => {
    const mine = {};
    const counts = () => press === mine;
    turn(mine);
    if (!counts()) return;
    mine.own = media.stream ? undefined : capture(media, counts);
    const devices = Promise.resolve(mine.own ?? media.stream).then((stream) => {
      if (counts()) onStream(stream);
      return stream;
    });
    try {
      const [stream] = await Promise.all([devices, connected(counts)]);
      if (!counts()) return;
      call = phone.call(to, { ...media, stream });
    } catch (error) {
      if (!counts()) return;
      turn();
      onError(error);
      return;
    } finally {
      // the call has copies of its own
      release(mine);
    }
    turn();
    onCall(call, phone);
  };

  const release = ({ own }) => own?.then(stop, () => {});

  const cancel = () => {
    if (!press) return;
    release(press);
    turn();
  };

  const pressed = (event) => {
    delete element.dataset.pressed;
    // the second click of a double one
    if (event.detail > 1) return;
    if (press) cancel();
    else if (call && call.state !== "ended") call.hangup();
    else begin();
  };

  // what a press will tell is not told before
  const warm = () => element.isConnected && fetchPhone().then((phone) => phone.load()).catch(() => {});
  const whenIdle = () => (globalThis.requestIdleCallback ?? setTimeout)(warm);
  if (load === "idle" && !navigator.connection?.saveData) {
    if (document.readyState === "complete") whenIdle();
    else addEventListener("load", whenIdle, { once: true });
  }
  element.addEventListener("click", pressed);
  turn();
  // pressed before this script was there, if the markup kept it
  if (element.dataset.pressed !== undefined) {
    delete element.dataset.pressed;
    begin();
  }

  return {
    cancel,
    get state() {
      return state();
    },
    /** The element is an ordinary one again. */
    remove() {
      cancel();
      element.removeEventListener("click", pressed);
      removeEventListener("load", whenIdle);
      delete element.dataset.state;
      delete element.dataset.pressed;
      element.removeAttribute("aria-busy");
    },
  };
}
