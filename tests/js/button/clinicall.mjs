// A working call button with our client: what `cargo xtask bench size` weighs.
import { connect } from "../../../pkg/index.mjs";

const video = document.querySelector("video");
const button = document.querySelector("button");
const phone = await connect({ server: "wss://visits.example/sip", user: "2", password: "secret" });
let call;
phone.onIncoming = (incoming) => {
  call = incoming;
  call.accept({ video: true });
};
phone.onConnected = (connected) => {
  video.srcObject = connected.remote;
};
phone.onHangup = (_, reason) => {
  call = undefined;
  button.textContent = reason.text;
};
button.onclick = () => {
  if (call) call.hangup();
  else call = phone.call("3", { video: true });
};
