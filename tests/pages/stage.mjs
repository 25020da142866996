// What a person on the stage can do, whatever the phone: the page's script adds `login`, `ring`,
// `answer`, `decline`, `hangup` to this object, and tells what it is told.
import { connections, flow, wire } from "./flow.mjs";
import "./record.mjs";
import "./voice.mjs";

const waiting = new Set();

// The clock that all pages of a machine share.
const clock = (at = performance.now()) => performance.timeOrigin + at;

export const stage = {
  // What happened so far: { what, at, ... }, at in milliseconds of this page.
  events: [],

  tell(what, more = {}) {
    stage.events.push({ what, at: performance.now(), ...more });
    console.log(`${what} ${JSON.stringify(more)}`);
    for (const look of waiting) look();
    if (what === "incoming" && stage.answersAtOnce) stage.answer(stage.answersAtOnce.video);
  },

  // The first event of this name, when it comes; an error that tells all events when it does not.
  until(what, milliseconds) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const event = stage.events.find((event) => event.what === what);
        if (!event) return;
        done();
        resolve(event);
      };
      const late = setTimeout(() => {
        done();
        reject(new Error(`no "${what}" within ${milliseconds} ms, but ${JSON.stringify(stage.events)}`));
      }, milliseconds);
      const done = () => {
        clearTimeout(late);
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  },

  // From here on the next call is measured: `notes` say when we rang, when the INVITE left, when we accepted, when
  // the first frame was shown and the first sound decoded, and how many bytes were spoken until
  // the sound came.
  arm() {
    stage.events.length = 0;
    const notes = { ring: null, invite: null, accept: null, firstFrame: null, firstAudio: null, bytes: 0 };
    stage.notes = notes;
    stage.answersAtOnce = false;
    wire.heard = (_, bytes, data) => {
      if (notes.invite === null && /^INVITE /.test(typeof data === "string" ? data : new TextDecoder().decode(data))) {
        notes.invite = clock();
      }
      if (notes.firstAudio === null && notes.invite !== null) notes.bytes += bytes;
    };
    const video = document.querySelector("#remote");
    video.srcObject = null;
    const seen = (at) => {
      if (notes.firstFrame !== null) return;
      notes.firstFrame = at;
      stage.tell("firstFrame");
    };
    video.requestVideoFrameCallback((now) => seen(clock(now)));
    const known = connections.length;
    const mine = () => connections.slice(known);
    const listen = setInterval(() => {
      if (stage.notes !== notes) return clearInterval(listen);
      const receivers = mine().flatMap((connection) => connection.getReceivers());
      const audio = receivers.filter(({ track }) => track.kind === "audio");
      if (!audio.some((receiver) => receiver.getSynchronizationSources().length > 0)) return;
      clearInterval(listen);
      notes.firstAudio = clock();
      stage.tell("firstAudio");
    }, 4);
    // Firefox shows no frame in a tab that is not in front, but decodes it.
    const look = setInterval(async () => {
      if (stage.notes !== notes || notes.firstFrame !== null) return clearInterval(look);
      for (const connection of mine()) {
        if ((await flow(connection)).framesDecoded > 0) seen(clock());
      }
    }, 15);
  },

  answerAtOnce(video = true) {
    stage.answersAtOnce = { video };
  },

  rings() {
    if (stage.notes) stage.notes.ring = clock();
  },

  accepts() {
    if (stage.notes) stage.notes.accept = clock();
  },

  show(stream) {
    const video = document.querySelector("#remote");
    if (video.srcObject !== stream) video.srcObject = stream;
    video.play().catch(() => {});
  },
};

globalThis.stage = stage;
