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

// What `getStats` says of a connection, or of the one that has taken its place by then. Firefox never keeps the promise
// of a connection that closes meanwhile (ESR 140: 120 of 120), and refuses a closed one.
async function reports(connection) {
  let looking;
  const closed = new Promise((done) => {
    looking = setInterval(() => connection.signalingState === "closed" && done(null), 20);
  });
  const told = await Promise.race([connection.getStats(), closed]).catch((error) => {
    if (connection.signalingState !== "closed") throw error;
    return null;
  }).finally(() => clearInterval(looking));
  if (told) return { connection, stats: [...told.values()] };
  const newest = connections.at(-1);
  return newest === connection ? { connection, stats: [] } : reports(newest);
}

// The newest connection in short. Counters only rise as long as the connection lives.
export async function flow(asked = connections.at(-1)) {
  if (!asked) return { state: "none", framesDecoded: 0, audioPackets: 0, audioEnergy: 0, videoPackets: 0 };
  const { connection, stats } = await reports(asked);
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

// What a link does to sound and picture, summed over everything received and sent; counters all.
export async function quality(asked = connections.at(-1)) {
  if (!asked) return null;
  const { connection, stats } = await reports(asked);
  const inbound = (kind) => stats.filter((it) => it.type === "inbound-rtp" && it.kind === kind);
  const outbound = (kind) => stats.filter((it) => it.type === "outbound-rtp" && it.kind === kind);
  const audio = inbound("audio");
  const video = inbound("video");
  const most = (reports, field) => Math.max(0, ...reports.map((report) => report[field] ?? 0));
  return {
    at: performance.now(),
    state: connection.connectionState,
    samples: sum(audio, "totalSamplesReceived"),
    concealed: sum(audio, "concealedSamples"),
    silent: sum(audio, "silentConcealedSamples"),
    energy: sum(audio, "totalAudioEnergy"),
    audioPackets: sum(audio, "packetsReceived"),
    audioLost: sum(audio, "packetsLost"),
    jitterBuffer: sum(audio, "jitterBufferDelay"),
    jitterBufferOut: sum(audio, "jitterBufferEmittedCount"),
    frames: sum(video, "framesDecoded"),
    width: most(video, "frameWidth"),
    height: most(video, "frameHeight"),
    freezes: sum(video, "freezeCount"),
    frozen: sum(video, "totalFreezesDuration"),
    framesSent: sum(outbound("video"), "framesSent"),
    offset: ahead(video, audio),
    audioBytesSent: sum(outbound("audio"), "bytesSent"),
    videoBytesSent: sum(outbound("video"), "bytesSent"),
  };
}

// How much later what is seen was sent than what is heard with it, by the sender's clock, in milliseconds; null where
// the browser does not say.
function ahead(video, audio) {
  const [seen, heard] = [video, audio].map((reports) => reports.find((it) => it.estimatedPlayoutTimestamp > 0));
  return seen && heard ? seen.estimatedPlayoutTimestamp - heard.estimatedPlayoutTimestamp : null;
}

globalThis.flow = flow;
globalThis.quality = quality;
export { connections };
