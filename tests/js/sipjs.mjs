// A person whose page holds SIP.js. Bundled by esbuild into the stage's pages; the counterpart of
// `tests/pages/visit.mjs`.
import { Inviter, Messager, Registerer, SessionState, UserAgent } from "sip.js";
import { stage } from "../pages/stage.mjs";

let agent;
let session;
let host;

const media = (video) => ({ sessionDescriptionHandlerOptions: { constraints: { audio: true, video } } });
const address = (user) => UserAgent.makeURI(`sip:${user}@${host}`);

const meet = (newer) => {
  session = newer;
  newer.stateChange.addListener((state) => {
    if (state === SessionState.Established) {
      stage.show(newer.sessionDescriptionHandler.remoteMediaStream);
      stage.tell("connected");
    }
    if (state === SessionState.Terminated) stage.tell("hangup", { cause: "Terminated", text: "Terminated", status: null });
  });
};

// What becomes of a request, in one promise.
const answered = (send) =>
  new Promise((resolve, reject) => {
    send({
      onAccept: resolve,
      onReject: ({ message }) => reject(new Error(`${message.statusCode} ${message.reasonPhrase}`)),
    }).catch(reject);
  });

Object.assign(stage, {
  async login({ server, user, password }) {
    host = new URL(server).hostname;
    agent = new UserAgent({
      uri: address(user),
      transportOptions: { server },
      authorizationUsername: user,
      authorizationPassword: password,
      logLevel: "warn",
      sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
      delegate: {
        onInvite(invitation) {
          meet(invitation);
          stage.tell("incoming", { from: invitation.remoteIdentity.uri.user });
        },
        onMessage(message) {
          message.accept();
          const { request } = message;
          stage.tell("message", { from: request.from.uri.user, text: request.body });
        },
      },
    });
    await agent.start();
    const registerer = new Registerer(agent);
    await answered((requestDelegate) => registerer.register({ requestDelegate }));
    stage.tell("login");
  },
  ring(to, video = true) {
    stage.rings();
    meet(new Inviter(agent, address(to), media(video)));
    return session.invite({ requestDelegate: { onProgress: () => stage.tell("ringing") } });
  },
  answer(video = true) {
    stage.accepts();
    return session.accept(media(video));
  },
  decline: () => session.reject({ statusCode: 603 }),
  hangup: () => (session.state === SessionState.Established ? session.bye() : session.cancel()),
  state: () => session?.state ?? "none",
  // A re-INVITE that leaves the offer to the other side.
  asksForAnOffer: () => answered((requestDelegate) => session.invite({ withoutSdp: true, requestDelegate })).then(() => {}),
  writes: (to, text) => answered((requestDelegate) => new Messager(agent, address(to), text).message({ requestDelegate })).then(() => {}),
});
stage.tell("loaded");
