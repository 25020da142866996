// A call button that works before the phone is there: a press asks for microphone and camera at once, while the phone
// is still being fetched. What everything means is told in button.d.ts.
import { ClinicallError } from "./error.mjs";

export { ClinicallError };

// a form that bundlers recognise as a file of its own
const fetchPhone = () =>
  import("./index.mjs").catch((error) => {
    throw new ClinicallError("LoadFailed", `The phone could not be loaded: ${error?.message ?? error}`);
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

async function capture({ audio = true, video = false }) {
  if (!navigator.mediaDevices) {
    throw new ClinicallError("NotSupported", "Microphone and camera are for pages on HTTPS.");
  }
  const ask = (video) => navigator.mediaDevices.getUserMedia({ audio, video });
  try {
    return await ask(video && FACE).catch((error) => {
      // who has no camera is heard all the same
      if (audio && video && error.name === "NotFoundError") return ask(false);
      throw error;
    });
  } catch (error) {
    throw new ClinicallError(...(REFUSALS[error?.name] ?? ["BrowserFailed", String(error?.message ?? error)]));
  }
}

const stop = (stream) => stream.getTracks().forEach((track) => track.stop());

/** Makes an element of the page a call button. */
export function callButton(element, { options, to, media = {}, load = "idle", onStream, onCall, onState, onError }) {
  let state = "idle";
  // the press that counts, which gives its devices back; none once it is taken back
  let press;
  let phone;
  let connecting;
  let call;

  const turn = (to) => {
    state = to;
    element.dataset.state = to;
    element.ariaBusy = String(to === "loading");
    onState?.(to);
  };

  const connect = async () => {
    const { connect } = await fetchPhone();
    phone = await connect(typeof options === "function" ? await options() : options);
    return phone;
  };
  const connected = () => {
    if (phone && phone.state !== "failed" && phone.state !== "disconnected") return phone;
    // one phone, however often it is pressed and taken back meanwhile
    return (connecting ??= connect().finally(() => (connecting = undefined)));
  };

  const begin = async () => {
    turn("loading");
    const own = media.stream ? undefined : capture(media);
    const release = () => own?.then(stop, () => {});
    press = release;
    const counts = () => press === release;
    const devices = Promise.resolve(own ?? media.stream).then((stream) => {
      if (counts()) onStream?.(stream);
      return stream;
    });
    try {
      const [stream] = await Promise.all([devices, connected()]);
      if (!counts()) return;
      call = phone.call(to, { ...media, stream });
    } catch (error) {
      if (!counts()) return;
      turn("idle");
      if (onError) onError(error);
      else reportError(error);
      return;
    } finally {
      // the call has copies of its own
      release();
    }
    turn("idle");
    onCall?.(call, phone);
  };

  const cancel = () => {
    if (state !== "loading") return;
    press();
    press = undefined;
    turn("idle");
  };

  const pressed = () => {
    if (state === "loading") cancel();
    else if (call && call.state !== "ended") call.hangup();
    else begin();
  };

  // what a press will tell is not told before
  const warm = () => fetchPhone().then((phone) => phone.load()).catch(() => {});
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
    },
  };
}
