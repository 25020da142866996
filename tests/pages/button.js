// A patient whose page has a call button and fetches the phone when it is needed, as `clinicall/button` tells.
import { stage } from "./stage.mjs";
import { callButton } from "./pkg/button.mjs";

const [ring, mine] = ["#ring", "#mine"].map((name) => document.querySelector(name));
let call;
let asked;

Object.assign(stage, {
  // The button of this page; `arg` is what the phone is to log in with, and whom to call.
  button({ options, to, load }) {
    callButton(ring, {
      options,
      to,
      load,
      media: { video: true },
      onStream(stream) {
        asked = stream;
        mine.srcObject = stream;
        stage.tell("preview", { fetched: stage.fetched() });
      },
      onCall(placed, phone) {
        call = placed;
        mine.srcObject = call.local;
        phone.onConnected = () => {
          stage.show(call.remote);
          stage.tell("connected");
        };
        phone.onHangup = (_, { cause }) => stage.tell("hangup", { cause });
        stage.tell("placed", { tracks: call.local.getTracks().map(({ readyState }) => readyState) });
      },
      onState: (state) => stage.tell(state),
      onError: ({ cause, message }) => stage.tell("error", { cause, text: message }),
    });
  },
  press: () => ring.click(),
  // whether the module has come
  fetched: () => performance.getEntriesByType("resource").some(({ name }) => name.endsWith(".wasm")),
  // the devices that the button opened
  opened: () => asked?.getTracks().map(({ readyState }) => readyState),
  hangup: () => call.hangup(),
});
stage.tell("loaded");
