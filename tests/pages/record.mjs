// What a person hears: the remote sound as 16-bit samples at 16 kHz, base64; and how far the picture is ahead of it.
import { connections, quality } from "./flow.mjs";

const RATE = 16_000;

// { sound, offset }: the offset in milliseconds, the median of one a second, null where the browser tells none.
export async function record(seconds) {
  const receivers = connections.at(-1).getReceivers();
  const stream = new MediaStream(receivers.map(({ track }) => track).filter(({ kind }) => kind === "audio"));
  // at the rate of the call: Firefox joins none of another
  const context = new AudioContext();
  const chunks = [];
  // deprecated, and the only node that needs no file of its own; nothing here is in a hurry
  const tap = context.createScriptProcessor(4096, 1, 1);
  tap.onaudioprocess = ({ inputBuffer }) => chunks.push(inputBuffer.getChannelData(0).slice());
  context.createMediaStreamSource(stream).connect(tap);
  tap.connect(context.destination);
  const offsets = [];
  const look = setInterval(async () => {
    const { offset } = (await quality()) ?? {};
    if (typeof offset === "number") offsets.push(offset);
  }, 1000);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  clearInterval(look);
  await context.close();
  const heard = await resampled(chunks.flatMap((chunk) => [...chunk]), context.sampleRate);
  const samples = Int16Array.from(heard, (sample) => Math.max(-1, Math.min(1, sample)) * 32_767);
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  offsets.sort((one, other) => one - other);
  return { sound: btoa(text), offset: offsets[offsets.length >> 1] ?? null };
}

async function resampled(samples, rate) {
  if (samples.length === 0) return samples;
  const context = new OfflineAudioContext(1, Math.ceil((samples.length * RATE) / rate), RATE);
  const buffer = context.createBuffer(1, samples.length, rate);
  buffer.getChannelData(0).set(samples);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}

globalThis.record = record;
