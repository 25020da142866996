/**
 * Video visits in a page.
 *
 * ```js
 * import { connect } from "clinicall";
 *
 * const phone = await connect({ server: "wss://visits.example/sip", user: "2", password: "..." });
 * phone.onIncoming  = (call) => call.accept({ video: true });      // or call.reject()
 * phone.onConnected = (call) => { video.srcObject = call.remote; };
 * phone.onHangup    = (call, reason) => console.log(reason.cause, reason.text);
 * const call = phone.call("3", { video: true });
 * ```
 */

/** Connects to a server and logs in. Rejects with a {@link ClinicallError}. */
export function connect(options: Options): Promise<Phone>;

/**
 * Fetches and compiles the phone's WebAssembly, which the first {@link connect} does otherwise.
 *
 * @param module Where it is, when your build puts it elsewhere than beside this package's own code.
 */
export function load(module?: URL | string | Request | Response | BufferSource | WebAssembly.Module): Promise<void>;

/** How to connect: to a Clinicall relay as `user`, or to any SIP server as `uri`. */
export type Options = Connection & (RelayUser | SipUser);

export interface RelayUser {
  /** Your own id of the person; others call this. */
  user: string | number;
  uri?: undefined;
}

export interface SipUser {
  /** `sip:1000@pbx.example`, for FreeSWITCH, Asterisk, Kamailio and others. */
  uri: string;
  user?: undefined;
}

export interface Connection {
  /** `wss://visits.example/sip`. */
  server: string;
  /** The user's password or key; give it or a `token`. */
  password?: string;
  /**
   * A token (JWT) that your back end has signed for this user: its `sub` is `user`. It never goes
   * into a URL. See "Add a visit to your clinic's site" in the README. {@link Phone.setToken} renews it.
   */
  token?: string;
  /** The name the other side sees. */
  name?: string;
  /** The most that sound and picture may take, each way. Without it there is no limit: `"auto"`. */
  bandwidth?: Bandwidth | Profile;
  /** STUN and TURN servers. A Clinicall relay needs none. */
  iceServers?: RTCIceServer[];
  /**
   * What the SIP `Via` header says, when a proxy takes TLS off between this page and a foreign
   * server: `"ws"` although `server` begins with `wss:`.
   */
  via?: "ws" | "wss";
}

/** Kilobits per second, everything on the wire counted. */
export interface Bandwidth {
  /** From 12; 32 is good speech. */
  audio?: number;
  /** From 33, less is no picture; 256 is a good face. */
  video?: number;
  /** `"talk"` (the default) keeps a face moving; `"show"` keeps a wound or a document sharp, in fewer frames. */
  mode?: "talk" | "show";
}

/** A link by its name: everything together stays below it. `16k` and `32k` are speech alone. */
export type Profile = "16k" | "32k" | "64k" | "150k" | "256k" | "hd" | "auto";

/** How a call gets through. */
export interface Quality {
  /** `fair`: less is sent than could be, or packets are lost; `poor`: pictures are paused. */
  level: "good" | "fair" | "poor";
  /** Whose link it is about. */
  side: "here" | "there";
  /** Which way: what is sent from here, or what comes here. */
  direction: "up" | "down";
  /** What was done or seen, in one sentence. */
  text: string;
  /** Kilobits per second that are sent from here at most. */
  audio?: number;
  /** The same for the picture; 0 while it is paused. */
  video?: number;
  /** What the browser thinks there is room for, kilobits per second. Firefox does not tell. */
  room?: number;
  /** Per cent of what was sent from here and was lost. */
  lost: number;
  /** Per cent of what was to come here and was lost. */
  missed: number;
  /** Round trip in milliseconds; 0 before it is known. */
  rtt: number;
}

/** What you send in a call: the microphone unless told otherwise, the camera only if told so. */
export interface Media {
  /** Default: true. */
  audio?: boolean;
  /** Default: false, or whether `stream` has a picture. */
  video?: boolean;
  /**
   * A stream of your own (a camera preview, a screen) instead of asking the browser for one. The
   * call works on copies of its tracks: yours go on when the call ends, and serve other calls.
   */
  stream?: MediaStream;
}

export interface Phone {
  /** Somebody calls. Answer with {@link Call.accept} or {@link Call.reject}, now or later. */
  onIncoming?: ((call: Call) => void) | null;
  /** A call of yours rings at the other side. */
  onRinging?: ((call: Call) => void) | null;
  /** Both sides agreed: show {@link Call.remote}. */
  onConnected?: ((call: Call) => void) | null;
  /** Agreed, and for the first time sound and picture get through; often at once after `onConnected`. */
  onMedia?: ((call: Call) => void) | null;
  /** A call's state, devices or muting changed: look at {@link Call.state}, {@link Call.local}, {@link Call.muted}. */
  onChanged?: ((call: Call) => void) | null;
  /** A call is over, or never came about. The last word about this call. */
  onHangup?: ((call: Call, reason: Reason) => void) | null;
  /** The link of a call got better or worse, or what is sent was changed for it. */
  onQuality?: ((call: Call, report: Quality) => void) | null;
  /** The connection to the server changed. With `"failed"` comes the reason. */
  onState?: ((state: PhoneState, reason?: Reason) => void) | null;

  /**
   * Listens to a pipe, now and after every reconnect; `"msg"` is the person's own. What was sent
   * while the connection was lost comes when it is back, once and in order. Returns a function that
   * ends it.
   *
   * What a pipe's name begins with says who may do what: see the README. Needs a Clinicall relay.
   */
  on(pipe: string, handler: (message: Message) => void): () => void;
  /**
   * Publishes to a `web_...` or `webauth_...` pipe. Resolves with the number of connections it
   * went to, this page aside. While the connection is lost it waits for the next one, and is
   * published once even when the answer was lost.
   *
   * @param data Anything JSON can say, up to 64 KiB.
   * @param anonymous Do not say who it was.
   */
  publish(pipe: string, event: string, data?: unknown, anonymous?: boolean): Promise<number>;
  /** The messages that are kept of a pipe, oldest first; at most 100. */
  history(pipe: string, limit?: number): Promise<Message[]>;
  /** Who listens to a `track_...` pipe; of a `web_...` or `webauth_...` pipe only how many. */
  presence(pipe: string): Promise<Presence>;
  /** For each user: `"online"`, when they last were (unix milliseconds), or `null` for never. */
  presence(users: (string | number)[]): Promise<Record<string, "online" | number | null>>;
  /** Messages of a pipe were lost, after a long absence or a restart: fetch anew what it tells about. */
  onGap?: ((pipe: string) => void) | null;
  /** The relay does not let this page listen to a pipe. */
  onRefused?: ((pipe: string, cause: Cause) => void) | null;

  /**
   * Calls `target`: a user of the same server (`"3"`), a room of the clinic's that you were invited
   * to (`"room:1"`), `"user@host"` or a whole `"sip:..."` address.
   * Returns at once; what becomes of the call is told to the callbacks.
   *
   * @throws {ClinicallError} `NotConnected` while there is no connection, `BadOption` for a target
   * that is no address.
   */
  call(target: string | number, media?: Media): Call;
  /**
   * Other limits, at once and without a negotiation, for the calls that go on as for those to come.
   *
   * @throws {ClinicallError} `BadOption` for a profile that is not known.
   */
  setBandwidth(bandwidth: Bandwidth | Profile): void;
  /**
   * Hands over a newer token of the same user, before the one from the login runs out: what it allows
   * and how long it is good counts from then on, for calls and for messages. Rejects when the server
   * does not take it (`AuthenticationFailed`, or `Rejected` for another user's); the one before stays.
   *
   * Without a newer one the connection ends when the token does, after a call that goes on then (a relay that is started
   * anew meanwhile does not let it in again), and
   * the state is `"failed"` with the relay's words in the reason.
   *
   * @throws {ClinicallError} `BadOption` when the phone came in with a password.
   */
  setToken(token: string): Promise<void>;
  /** Hangs up, leaves the server, closes the connection. The phone is of no use afterwards. */
  disconnect(): void;

  readonly state: PhoneState;
  /** The calls that are not over, oldest first. */
  readonly calls: Call[];
  /** Whether a call may come in during another. If not (the default), its caller hears "busy". */
  multipleCalls: boolean;
}

/** A message of a pipe. */
export interface Message {
  pipe: string;
  event: string;
  /** What was sent: a JSON value, or a string. */
  data: any;
  /** The user whose page published it; none when your back end did. */
  from?: string;
  /** When, in unix milliseconds. */
  at: number;
}

export interface Presence {
  /** Connections that listen. */
  count: number;
  /** `page` is random, and the same as long as the page lives. */
  listeners: { user?: string; page: string }[];
}

/**
 * - `connecting`: the first time.
 * - `registered`: logged in; calls can be made and come in.
 * - `reconnecting`: the connection was lost and comes back by itself. Calls that were established go on.
 * - `failed`: for good; {@link Phone.onState} has the reason.
 * - `disconnected`: {@link Phone.disconnect} was called.
 */
export type PhoneState = "connecting" | "registered" | "reconnecting" | "failed" | "disconnected";

/** One and the same object in every callback about this call. */
export interface Call {
  /**
   * Accepts an incoming call. The browser asks for microphone and camera now, unless `stream` is
   * given. Without a camera the call goes on with sound alone; without a microphone it ends.
   *
   * @throws {ClinicallError} `WrongState` when the call is not an unanswered incoming one.
   */
  accept(media?: Media): void;
  /**
   * Declines an incoming call.
   *
   * @param how `{ busy: true }` says so to the caller; a number is a SIP status from 300 to 699.
   * @throws {ClinicallError} `WrongState` when the call is not an unanswered incoming one.
   */
  reject(how?: { busy: true } | number): void;
  /** Ends the call whatever its state. */
  hangup(): void;
  /**
   * `mute()` silences sound and picture; `mute({ audio: true })` the sound alone;
   * `mute({ audio: false })` is `unmute({ audio: true })`.
   */
  mute(what?: Muted): void;
  unmute(what?: Muted): void;

  readonly state: CallState;
  readonly direction: "incoming" | "outgoing";
  readonly peer: Peer;
  /** The room of the clinic's that the call leads to. */
  readonly room: string | undefined;
  /** What the clinic's back end gave along with its invitation: text, or JSON for `JSON.parse`. */
  readonly message: string | undefined;
  /** Whether pictures are part of the call. */
  readonly video: boolean;
  readonly muted: Required<Muted>;
  /**
   * What the other side sends; one stream from the beginning of the call to its end. After a restart of the relay there are
   * other tracks in it: a video element goes on by itself, a `MediaRecorder` or an audio graph has to be made anew, at
   * the `onChanged` that says `connected` again.
   */
  readonly remote: MediaStream;
  /** What you send, once the devices are open. */
  readonly local: MediaStream | undefined;
  /** The browser's connection, for `getStats()`; another one after a restart of the relay. Change nothing in it. */
  readonly connection: RTCPeerConnection | undefined;
}

/**
 * - `calling`, then `ringing`: you call; the other side does not ring yet, then does.
 * - `incoming`: somebody calls you. `answering`: you accepted, and the camera or the caller is not ready yet.
 * - `connected`. `reconnecting`: sound and picture were interrupted, and another way is being looked for.
 * - `ended`.
 */
export type CallState = "calling" | "ringing" | "incoming" | "answering" | "connected" | "reconnecting" | "ended";

export interface Peer {
  /** Your own id of the person, or a telephone number. */
  user: string;
  name: string | undefined;
  /** The whole SIP address. */
  uri: string;
}

export interface Muted {
  audio?: boolean;
  video?: boolean;
}

/** Why a call ended, or why the phone failed. */
export interface Reason {
  cause: Cause;
  /** A plain English sentence for the person in front of the screen. */
  text: string;
  /** The SIP status code, when there was one. */
  status: number | undefined;
  by: "local" | "remote" | "system";
}

/** What {@link connect} rejects with, and what methods throw. `instanceof` works, too. */
export class ClinicallError extends Error {
  readonly name: "ClinicallError";
  readonly cause: Cause;
  /** The SIP status code, when there was one. */
  readonly status?: number;
}

export type Cause =
  /** An established call was ended. */
  | "Hangup"
  /** The caller gave up before the answer. */
  | "Canceled"
  /** Another tab or device of the same person answered. */
  | "AnsweredElsewhere"
  | "Busy"
  | "Rejected"
  /** There is nobody of this name. */
  | "NotFound"
  /** Known, but not connected at the moment. */
  | "Unavailable"
  | "NoAnswer"
  | "Redirected"
  /** The server refused user or password. */
  | "AuthenticationFailed"
  /** The two sides have no codec in common. */
  | "IncompatibleMedia"
  | "ServerError"
  /** Refused for a reason that has no name of its own; see `status`. */
  | "Failed"
  /** The server did not answer. */
  | "RequestTimeout"
  /** The connection to the server broke before the call was established. */
  | "ConnectionLost"
  /** The other side does not answer any more. */
  | "PeerVanished"
  /** The other side broke the protocol. */
  | "DialogError"
  /** The server could not be reached. */
  | "ConnectionFailed"
  /** There is no connection to the server at the moment. */
  | "NotConnected"
  /** Microphone and camera were refused. */
  | "MediaDenied"
  /** There is no microphone. */
  | "NoDevice"
  /** Another program holds the microphone or camera. */
  | "DeviceBusy"
  /** Sound and picture found no way, or lost it for good. */
  | "MediaLost"
  /** The browser refused a step of the call's set-up. */
  | "BrowserFailed"
  /** No WebRTC or WebAssembly in this browser, or the page is not on HTTPS. */
  | "NotSupported"
  /** The relay does not let this page listen or publish to a pipe of that name. */
  | "Forbidden"
  /** More messages than a page may send in so short a time, or too many unanswered ones. */
  | "TooMany"
  /** An option or a target that cannot be used; the message says which. */
  | "BadOption"
  /** The call is not in a state that allows this. */
  | "WrongState"
  /** You left. */
  | "Disconnected"
  /** The WebAssembly module could not be fetched. */
  | "LoadFailed";
