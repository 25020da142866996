// The same button with JsSIP.
import JsSIP from "jssip";

const video = document.querySelector("video");
const button = document.querySelector("button");
const media = { mediaConstraints: { audio: true, video: true } };
const agent = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface("wss://visits.example/sip")],
  uri: "sip:2@visits.example",
  password: "secret",
});
let call;
agent.on("newRTCSession", ({ originator, session }) => {
  call = session;
  const ended = ({ cause }) => {
    call = undefined;
    button.textContent = cause;
  };
  session.on("failed", ended);
  session.on("ended", ended);
  session.on("confirmed", () => {
    const tracks = session.connection.getReceivers().map(({ track }) => track);
    video.srcObject = new MediaStream(tracks);
  });
  if (originator === "remote") session.answer(media);
});
agent.start();
button.onclick = () => {
  if (call) call.terminate();
  else agent.call("sip:3@visits.example", media);
};
