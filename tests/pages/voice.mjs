// Somebody who speaks: sentences over and over in place of the microphone's sound, the same in every browser
// and past its echo canceller, which would take the other side's sentences for an echo of these.

export async function speak(wav) {
  const bytes = Uint8Array.from(atob(wav), (letter) => letter.charCodeAt(0));
  const context = new AudioContext();
  const sentences = context.createBufferSource();
  sentences.buffer = await context.decodeAudioData(bytes.buffer);
  sentences.loop = true;
  const mouth = new MediaStreamAudioDestinationNode(context, { channelCount: 1, channelCountMode: "explicit" });
  sentences.connect(mouth);
  sentences.start();
  const [voice] = mouth.stream.getAudioTracks();
  if ("contentHint" in voice) voice.contentHint = "speech";
  const { mediaDevices } = navigator;
  const real = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async ({ audio, video }) => {
    const stream = video ? await real({ video }) : new MediaStream();
    if (audio) stream.addTrack(voice.clone());
    return stream;
  };
}

globalThis.speak = speak;
