// A person whose page holds the Clinicall client, used as its README tells.
import { stage } from "./stage.mjs";
import { connect, load } from "./pkg/index.mjs";

let phone;
let call;

const meet = (other) => {
  call = other;
};

Object.assign(stage, {
  async login(options) {
    phone = await connect(options);
    phone.onIncoming = (incoming) => {
      meet(incoming);
      stage.tell("incoming", { from: incoming.peer.user });
    };
    phone.onRinging = () => stage.tell("ringing");
    phone.onConnected = (connected) => {
      stage.show(connected.remote);
      stage.tell("connected");
    };
    phone.onMedia = () => stage.tell("media");
    phone.onHangup = (_, reason) => {
      stage.tell("hangup", { cause: reason.cause, text: reason.text, status: reason.status ?? null });
    };
    phone.onQuality = (_, report) => stage.tell("quality", report);
    stage.tell("login");
  },
  ring(to, video = true) {
    stage.rings();
    meet(phone.call(to, { video }));
  },
  answer(video = true) {
    stage.accepts();
    return call.accept({ video });
  },
  decline: () => call.reject(),
  busy: () => call.reject(486),
  hangup: () => call.hangup(),
  bandwidth: (limits) => phone.setBandwidth(limits),
  mute: (what) => call.mute(what),
  muted: () => call.muted,
  state: () => call?.state ?? "none",
});
// what a slow link does to a call is one thing, what it does to a page another
await load();
stage.tell("loaded");
