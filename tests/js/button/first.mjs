// What has to come before the button of `clinicall/button` can be pressed: what `cargo xtask bench size` weighs.
import { callButton } from "../../../pkg/button.mjs";

const [mine, theirs] = document.querySelectorAll("video");
const button = document.querySelector("button");
callButton(button, {
  options: { server: "wss://visits.example/sip", user: "2", password: "secret" },
  to: "3",
  media: { video: true },
  onStream: (stream) => { mine.srcObject = stream; },
  onCall: (call, phone) => {
    mine.srcObject = call.local;
    phone.onConnected = () => { theirs.srcObject = call.remote; };
    phone.onHangup = (_, reason) => { button.textContent = reason.text; };
  },
});
