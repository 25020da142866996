// What a person on the stage can do, whatever the phone: the page's script adds `login`, `ring`,
// `answer`, `decline`, `hangup` to this object, and tells what it is told.
import "./flow.mjs";

const waiting = new Set();

export const stage = {
  // What happened so far: { what, at, ... }, at in milliseconds of this page.
  events: [],

  tell(what, more = {}) {
    stage.events.push({ what, at: performance.now(), ...more });
    console.log(`${what} ${JSON.stringify(more)}`);
    for (const look of waiting) look();
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

  show(stream) {
    const video = document.querySelector("#remote");
    if (video.srcObject !== stream) video.srcObject = stream;
    video.play().catch(() => {});
  },
};

globalThis.stage = stage;
