// A person whose page holds JsSIP. Bundled by esbuild into the stage's pages; the counterpart of
// `tests/pages/visit.mjs`.
import JsSIP from "jssip";
import { stage } from "../pages/stage.mjs";

const media = { audio: true, video: true };
let agent;
let session;

// JsSIP names causes in words; "failed" before the answer and "ended" after it.
const meet = (newer) => {
  session = newer;
  const hangup = ({ cause }) => stage.tell("hangup", { cause, text: cause, status: null });
  session.on("progress", () => stage.tell("ringing"));
  session.on("accepted", () => stage.tell("accepted"));
  session.on("confirmed", () => stage.tell("connected"));
  session.on("failed", hangup);
  session.on("ended", hangup);
  // one stream, whether or not the server says which belong together: what is in no element is not played
  const remote = new MediaStream();
  const show = (connection) =>
    connection.addEventListener("track", ({ track }) => {
      remote.addTrack(track);
      stage.show(remote);
    });
  if (session.connection) show(session.connection);
  else session.on("peerconnection", ({ peerconnection }) => show(peerconnection));
};

const iceServers = (options) => ({ pcConfig: { iceServers: options.iceServers ?? [] } });

Object.assign(stage, {
  async login(options) {
    stage.options = options;
    agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(options.server)],
      uri: `sip:${options.user}@${new URL(options.server).hostname}`,
      password: options.password,
      ...options.more,
    });
    agent.on("newRTCSession", ({ originator, session: newer }) => {
      meet(newer);
      if (originator === "remote") stage.tell("incoming", { from: newer.remote_identity.uri.user });
    });
    await new Promise((resolve, reject) => {
      agent.on("registered", resolve);
      agent.on("registrationFailed", ({ cause }) => reject(new Error(cause)));
      agent.start();
    });
    stage.tell("login");
  },
  ring(to, video = true) {
    stage.rings();
    const { extraHeaders } = stage.options;
    agent.call(to, { mediaConstraints: { ...media, video }, extraHeaders, ...iceServers(stage.options) });
  },
  answer(video = true) {
    stage.accepts();
    session.answer({ mediaConstraints: { ...media, video }, ...iceServers(stage.options) });
  },
  decline: (how = { status_code: 603 }) => session.terminate(how),
  hangup: (how) => session.terminate(how),
  state: () => session?.status ?? "none",
});
stage.tell("loaded");
