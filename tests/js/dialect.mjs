// A small client of CppComet's socket dialect, frame by frame, written from what goes over its wire.

import WebSocket from "ws";

export class Page {
  constructor(relay, { key, user, tenant = 1, uuid = "0".repeat(32), path = "/ws/", v = "4.08", origin }) {
    this.frames = [];
    this.waiting = [];
    const place = `${path}sesion=${key}&myid=${user}&devid=${tenant}&v=${v}&uuid=${uuid}&api=js`;
    this.socket = new WebSocket(`ws://${relay}${place}`, { origin });
    this.socket.on("message", (text) => this.heard(JSON.parse(text)));
    this.closed = new Promise((done) => this.socket.on("close", (code) => done(code)));
    this.open = new Promise((done, failed) => {
      this.socket.on("open", done);
      this.socket.on("error", failed);
    });
  }

  heard(frame) {
    this.frames.push(frame);
    this.waiting = this.waiting.filter(({ wanted, done }) => !wanted(frame) || done(frame));
  }

  // The first frame, heard or yet to come, for which `wanted` holds. It is heard once only.
  until(wanted, patience = 10_000) {
    const at = this.frames.findIndex(wanted);
    if (at >= 0) return Promise.resolve(this.frames.splice(at, 1)[0]);
    return new Promise((done, failed) => {
      const alarm = setTimeout(
        () => failed(new Error(`not heard: ${wanted}; but ${JSON.stringify(this.frames)}`)),
        patience,
      );
      this.waiting.push({
        wanted,
        done: (frame) => {
          clearTimeout(alarm);
          this.frames.splice(this.frames.indexOf(frame), 1);
          done(frame);
        },
      });
    });
  }

  on(pipe, event) {
    return this.until((frame) => frame.pipe === pipe && (!event || frame.event === event));
  }

  say(...lines) {
    this.socket.send(lines.join("\n"));
  }

  // Everything said so far has been dealt with.
  async settled() {
    const marker = `settled-${Math.random()}`;
    this.say("pipe_count", "web_settled", marker, "");
    await this.until((frame) => frame.marker === marker);
  }

  close() {
    this.socket.close(1000);
    return this.closed;
  }
}
