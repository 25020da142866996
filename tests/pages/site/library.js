// What a page finds in CppComet's JavaScript API 4.08, in our own words, over the same wire. The
// stories of `tests/tests/backend/library.rs` are told with this file and, where somebody has it,
// with the original in its place.

window.cometApi = new (class {
  options = {};
  callbacks = [];
  answers = new Map();
  pipes = new Set();
  unsent = [];
  known = new Set();
  authorized = undefined;

  start(options) {
    Object.assign(this.options, options);
    this.stopped = false;
    this.connect();
  }

  stop() {
    this.stopped = true;
    this.socket?.close();
  }

  connect() {
    const { node, user_key, user_id, dev_id = 0, wss } = this.options;
    const uuid = (localStorage.library_uuid ??= crypto.randomUUID().replaceAll("-", ""));
    const scheme = wss ?? location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(
      `${scheme}://${node}/ws/sesion=${user_key}&myid=${user_id}&devid=${dev_id}&v=4.08&uuid=${uuid}&api=js`,
    );
    this.socket.onopen = () => {
      this.subscribe();
      for (const frame of this.unsent.splice(0)) this.socket.send(frame);
    };
    this.socket.onmessage = ({ data }) => this.heard(JSON.parse(data));
    this.socket.onclose = ({ wasClean }) => {
      if (!wasClean && !this.stopped) setTimeout(() => this.connect(), 300);
    };
  }

  say(...lines) {
    const frame = lines.join("\n");
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(frame);
    else this.unsent.push(frame);
  }

  subscribe() {
    if (this.pipes.size) this.socket.send(["subscription", ...this.pipes].join("\n"));
  }

  heard(frame) {
    if (frame.event === "serverInfo") {
      this.key = frame.data;
      this.authorized = frame.authorized;
      return;
    }
    let { data } = frame;
    if (typeof data === "string") {
      try {
        data = JSON.parse(data);
      } catch {
        // plain text
      }
    }
    const once = data?._cometApi_uuid;
    if (once !== undefined) {
      if (this.known.has(once)) return;
      this.known.add(once);
      delete data._cometApi_uuid;
    }
    const { user_id = 0, pipe, event, history = false, marker } = frame;
    const message = { data, server_info: { user_id, pipe, event, history, marker } };
    if (marker !== undefined) {
      this.answers.get(marker)?.(message);
      this.answers.delete(marker);
    }
    for (const { name, callback } of this.callbacks) {
      if (marker === undefined && (name === pipe || name === `${pipe}.${event}`)) callback(message);
    }
  }

  subscription(name, callback) {
    this.callbacks.push({ name: name.replace(/^#/, "_answer_to_"), callback });
    if (name.startsWith("#") || name.split(".")[0] === "msg") return;
    this.pipes.add(name.split(".")[0]);
    if (this.socket?.readyState === WebSocket.OPEN) this.subscribe();
  }

  ask(callback, frame) {
    const marker = String(Math.random()).slice(2, 12);
    this.answers.set(marker, callback);
    this.say(...frame(marker));
  }

  web_pipe_send(pipe, event, data) {
    this.say("web_pipe2", pipe, event, "*", JSON.stringify(data));
  }

  multi_web_pipe_send(pipe, event, data, count = 3, interval = 1000) {
    data._cometApi_uuid = crypto.randomUUID();
    for (let turn = 0; turn < count; turn++) {
      setTimeout(() => this.web_pipe_send(pipe, event, data), turn * interval);
    }
  }

  get_pipe_log(pipe, callback) {
    this.subscription(pipe, callback);
    this.say("pipe_log", pipe, "log", "");
  }

  count_users_in_pipe(pipe, callback) {
    this.ask(callback, (marker) => ["pipe_count", pipe, marker, ""]);
  }

  getTrackPipeUsers(pipe, callback) {
    this.ask(callback, (marker) => ["track_pipe_users", pipe, marker]);
  }

  getUserData(user, callback) {
    this.ask(callback, (marker) => ["user_data", marker, user]);
  }

  isAuthorized() {
    return this.authorized;
  }

  getRealUserKey() {
    return this.key;
  }
})();
