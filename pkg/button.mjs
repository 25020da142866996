// A call button that works before the phone is there: a press asks for microphone and camera at once, while the phone
// is still being fetched. What everything means is told in button.d.ts.
import { ClinicallError } from "./error.mjs";

export { ClinicallError };

// a form that bundlers recognise as a file of its own
const fetchPhone = () =>
  import("./index.mjs").catch((error) => {
    throw new ClinicallError("LoadFailed", `The phone could not be loaded, reload the page: ${error?.message ?? error}`);
  });

// The names of Media Capture and Streams section 10.2, `getUserMedia`.
const REFUSALS = {
  NotAllowedError: ["MediaDenied", "The browser does not let this page use microphone and camera."],
  SecurityError: ["MediaDenied", "The browser does not let this page use microphone and camera."],
  NotFoundError: ["NoDevice", "There is no microphone, or no camera."],
  OverconstrainedError: ["NoDevice", "There is no microphone, or no camera."],
  NotReadableError: ["DeviceBusy", "Another program uses the microphone or the camera."],
  AbortError: ["DeviceBusy", "Another program uses the microphone or the camera."],
};

// as the phone asks for it
const FACE = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };

async function capture({ audio = true, video = false }, counts) {
  if (!navigator.mediaDevices) {
    throw new ClinicallError("NotSupported", "Microphone and camera are for pages on HTTPS.");
  }
  const ask = (video) => navigator.mediaDevices.getUserMedia({ audio, video });
  try {
    return await ask(video && FACE).catch((error) => {
      // whose camera is missing, taken or refused is heard all the same
      if (audio && video && counts()) return ask(false);
      throw error;
    });
  } catch (error) {
    throw new ClinicallError(...(REFUSALS[error?.name] ?? ["BrowserFailed", String(error?.message ?? error)]));
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
  let state = "idle";
  // the press that counts; none once it is taken back
  let press;
  let phone;
  let connecting;
  let call;

  const turn = (to) => {
    state = to;
    element.dataset.state = to;
    element.setAttribute("aria-busy", String(to === "loading"));
    onState(to);
  };

  const connect = async () => {
    const { connect } = await fetchPhone();
    return connect(typeof options === "function" ? await options() : options);
  };
  const connected = async () => {
    if (phone && phone.state !== "failed" && phone.state !== "disconnected") return phone;
    // one phone, however often it is pressed and taken back meanwhile
    const mine = (connecting ??= connect());
    try {
      const come = await mine;
      // nobody waits for it any more: it is not to be rung
      if (connecting !== mine && phone !== come) come.disconnect();
      else phone = come;
      return come;
    } finally {
      if (connecting === mine) connecting = undefined;
    }
  };

  const begin = async () => {
    const mine = (press = { own: undefined });
    const counts = () => press === mine;
    turn("loading");
    if (!counts()) return;
    mine.own = media.stream ? undefined : capture(media, counts);
    const devices = Promise.resolve(mine.own ?? media.stream).then((stream) => {
      if (counts()) onStream(stream);
      return stream;
    });
    try {
      const [stream, ready] = await Promise.all([devices, connected()]);
      if (!counts()) return;
      call = ready.call(to, { ...media, stream });
    } catch (error) {
      if (!counts()) return;
      press = undefined;
      turn("idle");
      onError(error);
      return;
    } finally {
      // the call has copies of its own
      release(mine);
    }
    press = undefined;
    turn("idle");
    onCall(call, phone);
  };

  const release = ({ own }) => own?.then(stop, () => {});

  const cancel = () => {
    if (!press) return;
    release(press);
    press = undefined;
    connecting = undefined;
    turn("idle");
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
  turn("idle");
  // pressed before this script was there, if the markup kept it
  if (element.dataset.pressed !== undefined) {
    delete element.dataset.pressed;
    begin();
  }

  return {
    cancel,
    get state() {
      return state;
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
