/**
 * Messages for pages without a phone: pipes over a socket of their own, without WebAssembly.
 *
 * ```js
 * import { connectComet } from "clinicall/comet";
 *
 * const comet = await connectComet({ server: "wss://visits.example/comet", token });
 * comet.on("msg", ({ event, data }) => notify(event, data));
 * ```
 *
 * A page that has a phone needs none of this: its phone carries the same messages.
 */
import type { Message, Presence } from "clinicall";

export { ClinicallError } from "clinicall";

/**
 * Connects and logs in. Rejects with a `ClinicallError`: `LoginRefused`, `LoginFirst` where guests may
 * not come in, `ConnectionFailed`.
 */
export function connectComet(options: CometOptions): Promise<Comet>;

export interface CometOptions {
  /** `wss://visits.example/comet`. */
  server: string;
  /** A token (JWT) that your back end has signed for the user. */
  token?: string;
  /** Instead of a token: the user's id and key. Neither: a guest, where the relay lets guests in. */
  user?: string | number;
  key?: string;
}

export interface Comet {
  /**
   * Listens to a pipe, now and after every reconnect; `"msg"` is the person's own. What was sent
   * while the connection was lost comes when it is back, once and in order. Returns a function that
   * ends it.
   */
  on(pipe: string, handler: (message: Message) => void): () => void;
  /** As {@link Phone.publish} does. */
  publish(pipe: string, event: string, data?: unknown, anonymous?: boolean): Promise<number>;
  /** The messages that are kept of a pipe, oldest first; at most 100. */
  history(pipe: string, limit?: number): Promise<Message[]>;
  /** Who listens to a `track_...` pipe; of a `web_...` or `webauth_...` pipe only how many. */
  presence(pipe: string): Promise<Presence>;
  /** For each user: `"online"`, when they last were (unix milliseconds), or `null` for never. */
  presence(users: (string | number)[]): Promise<Record<string, "online" | number | null>>;
  /**
   * Hands over a newer token of the same user before the first runs out. Rejects when the relay does
   * not take it; the one before stays.
   */
  setToken(token: string): Promise<void>;
  /** Closes the connection, for good. */
  disconnect(): void;

  /** Messages of a pipe were lost, after a long absence or a restart: fetch anew what it tells about. */
  onGap?: ((pipe: string) => void) | null;
  /** The relay does not let this page listen to a pipe; its word for the reason. */
  onRefused?: ((pipe: string, cause: string) => void) | null;
  /** The connection changed. With `"failed"` comes the reason: its cause is `Expired` or `Revoked`, say. */
  onState?: ((state: CometState, reason?: Error) => void) | null;
  readonly state: CometState;
}

export type CometState = "connecting" | "connected" | "reconnecting" | "failed" | "disconnected";
