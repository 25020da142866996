// A patient whose page has a call button and fetches the phone when it is needed, as `clinicall/button` tells.
import { stage } from "./stage.mjs";
import { callButton } from "./pkg/button.mjs";

const [ring, mine] = ["#ring", "#mine"].map((name) => document.querySelector(name));
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
        stage.tell("preview");
      },
      onCall(call, phone) {
        mine.srcObject = call.local;
        phone.onConnected = () => {
          stage.show(call.remote);
          stage.tell("connected");
        };
        phone.onHangup = (_, { cause }) => stage.tell("hangup", { cause });
        stage.tell("placed");
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
});
stage.tell("loaded");
