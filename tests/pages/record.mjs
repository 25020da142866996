// What a person hears: the remote sound as 16-bit samples at 16 kHz, base64.

const RATE = 16_000;

export async function record(seconds) {
  const stream = document.querySelector("#remote").srcObject;
  const context = new AudioContext({ sampleRate: RATE });
  const chunks = [];
  // deprecated, and the only node that needs no file of its own; nothing here is in a hurry
  const tap = context.createScriptProcessor(4096, 1, 1);
  tap.onaudioprocess = ({ inputBuffer }) => chunks.push(inputBuffer.getChannelData(0).slice());
  context.createMediaStreamSource(stream).connect(tap);
  tap.connect(context.destination);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await context.close();
  const samples = Int16Array.from(
    chunks.flatMap((chunk) => [...chunk]),
    (sample) => Math.max(-1, Math.min(1, sample)) * 32_767,
  );
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

globalThis.record = record;
