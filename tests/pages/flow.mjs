// What flows in this page, seen through every RTCPeerConnection made after this module was loaded,
// whoever makes it (our client, JsSIP, the page).

const connections = [];
globalThis.connections = connections;
const Real = globalThis.RTCPeerConnection;
globalThis.RTCPeerConnection = class extends Real {
  constructor(...words) {
    super(...words);
    connections.push(this);
  }
};

// Every byte of signalling, as the page hands it over (compression comes after), to whoever asks.
export const wire = { heard: () => {} };
const RealSocket = globalThis.WebSocket;
const size = (data) => (typeof data === "string" ? new TextEncoder().encode(data).length : data.byteLength ?? data.size);
globalThis.WebSocket = class extends RealSocket {
  constructor(...words) {
    super(...words);
    this.addEventListener("message", ({ data }) => wire.heard("in", size(data), data));
  }

  send(data) {
    wire.heard("out", size(data), data);
    super.send(data);
  }
};

const sum = (reports, field) => reports.reduce((total, report) => total + (report[field] ?? 0), 0);

// The newest connection in short. Counters only rise as long as the connection lives.
export async function flow(connection = connections.at(-1)) {
  if (!connection) return { state: "none", framesDecoded: 0, audioPackets: 0, audioEnergy: 0, videoPackets: 0 };
  const stats = [...(await connection.getStats()).values()];
  const inbound = (kind) => stats.filter((it) => it.type === "inbound-rtp" && it.kind === kind);
  const outbound = (kind) => stats.filter((it) => it.type === "outbound-rtp" && it.kind === kind);
  const pair = stats.find((it) => it.type === "candidate-pair" && (it.selected || (it.nominated && it.state === "succeeded")));
  const remote = pair && stats.find((it) => it.id === pair.remoteCandidateId);
  return {
    state: connection.connectionState,
    ice: connection.iceConnectionState,
    framesDecoded: sum(inbound("video"), "framesDecoded"),
    videoPackets: sum(inbound("video"), "packetsReceived"),
    audioPackets: sum(inbound("audio"), "packetsReceived"),
    audioEnergy: sum(inbound("audio"), "totalAudioEnergy"),
    audioSent: sum(outbound("audio"), "packetsSent"),
    videoSent: sum(outbound("video"), "packetsSent"),
    framesSent: sum(outbound("video"), "framesSent"),
    protocol: remote?.protocol ?? null,
    candidate: remote?.candidateType ?? null,
  };
}

globalThis.flow = flow;
export { connections };
