/**
 * A call button that works before the phone is there.
 *
 * On 64 kbit/s the phone's module takes a quarter of a minute. This door is a file of 1.5 KB: the button can be
 * pressed at once, a press asks for microphone and camera and shows the caller's own picture, and the call is placed
 * when the module has come. Without a press the module is fetched when the page has loaded and is idle, so that it is
 * there in time and was in nobody's way.
 *
 * ```html
 * <button id="ring" onclick="this.dataset.pressed = ''">Call the doctor</button>
 * <script type="module">
 *   import { callButton } from "clinicall/button";
 *   callButton(ring, {
 *     options: { server: "wss://visits.example/sip", user: "2", token },
 *     to: "3",
 *     media: { video: true },
 *     onStream: (stream) => { mine.srcObject = stream; },
 *     onCall: (call, phone) => {
 *       mine.srcObject = call.local;
 *       phone.onConnected = () => { theirs.srcObject = call.remote; };
 *     },
 *     onError: ({ cause, message }) => { note.textContent = message; },
 *   });
 * </script>
 * ```
 *
 * After `LoadFailed` some browsers want the page reloaded: they do not fetch a script again that once did not come. Two
 * buttons on one page are two phones of the same user.
 *
 * `dataset.pressed` keeps a press that comes even before this script; it is a matter of taste.
 */
import type { Call, ClinicallError, Media, Options, Phone } from "clinicall";

export { ClinicallError } from "clinicall";

/**
 * Makes an element of the page a call button. A press begins a call; one while the phone is still loading takes that
 * back; one during the call hangs up. The element has `data-state` (`idle` or `loading`) and `aria-busy` meanwhile.
 */
export function callButton(element: HTMLElement, settings: ButtonSettings): CallButton;

export interface ButtonSettings {
  /** What `connect` takes, or who gets it when the button is pressed (a fresh token). */
  options: Options | (() => Options | Promise<Options>);
  /** Whom to call, as {@link Phone.call} takes it. */
  to: string | number;
  /** Default: the microphone alone. */
  media?: Media;
  /**
   * `"idle"` (the default): the module is fetched when the page has loaded, unless the browser saves data;
   * `"press"`: when it is pressed.
   */
  load?: "idle" | "press";
  /**
   * Microphone and camera are open, most likely before the phone is there: show this to the caller. It ends when the
   * call is placed or taken back (not a stream of yours); the call has a copy, {@link Call.local}.
   */
  onStream?: (stream: MediaStream) => void;
  /** The call is placed. Set the phone's callbacks here. */
  onCall?: (call: Call, phone: Phone) => void;
  onState?: (state: ButtonState) => void;
  /**
   * There will be no call of this press: a {@link ClinicallError} (`LoadFailed`, `MediaDenied`, `NotConnected` and so
   * on), or what your `options` threw.
   */
  onError?: (error: ClinicallError | Error) => void;
}

export type ButtonState = "idle" | "loading";

export interface CallButton {
  readonly state: ButtonState;
  /** Takes a press back that has not become a call yet. */
  cancel(): void;
  /** The element is no call button any more; a call goes on. */
  remove(): void;
}
