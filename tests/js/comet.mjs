// node comet.mjs RELAY COMETQL PASSWORD: pages that hold `clinicall/comet` and no phone.

import assert from "node:assert/strict";
import mysql from "mysql2/promise";
import Socket from "ws";

const [relay, cometql, password] = process.argv.slice(2);

// a network that can be gone
let away = false;
const sockets = new Set();
globalThis.WebSocket = class extends Socket {
  constructor(url, protocol) {
    super(away ? "ws://127.0.0.1:9/" : url, protocol);
    this.on("error", () => {});
    sockets.add(this);
  }
};
globalThis.reportError = (error) => {
  throw error;
};
const { ClinicallError, connectComet } = await import("../../pkg/comet.mjs");

const [host, port] = cometql.split(":");
const site = await mysql.createConnection({ host, port: Number(port), user: "root", password, database: "CometQL_v1" });
const says = (statement, values) => site.execute(statement, values);
const until = async (what, holds) => {
  for (const end = Date.now() + 20_000; !(await holds()); await new Promise((done) => setTimeout(done, 20))) {
    assert(Date.now() < end, `never: ${what}`);
  }
};

await says("INSERT INTO users_auth (id, hash) VALUES (2, 'key2'), (3, 'key3')");
const server = `ws://${relay}/comet`;
const page = async (user) => {
  const heard = [];
  const comet = await connectComet({ server, user, key: `key${user}` });
  for (const pipe of ["msg", "web_visit"]) comet.on(pipe, ({ data }) => heard.push(data));
  return { comet, heard };
};
const doctor = await page(2);
const patient = await page("3");
await until("both listen", async () => (await doctor.comet.presence("web_visit")).count === 2);

// what comes while the network is gone comes once, in order, when it is back
const writes = (n) => says("INSERT INTO users_messages (id, event, message) VALUES (2, 'n', ?)", [String(n)]);
await writes(0);
await until("the first message", () => doctor.heard.length === 1);
for (let round = 1; round <= 3; round++) {
  away = true;
  for (const socket of sockets) socket.terminate();
  sockets.clear();
  for (let n = 1; n <= 4; n++) await writes(round * 10 + n);
  const asked = doctor.comet.publish("web_visit", "said", { round });
  away = false;
  await until("what was missed", () => doctor.heard.length === 1 + round * 4);
  assert.equal(typeof (await asked), "number");
  await until("the doctor's word", () => patient.heard.length === round);
}
assert.deepEqual(doctor.heard, [0, 11, 12, 13, 14, 21, 22, 23, 24, 31, 32, 33, 34]);
assert.deepEqual(patient.heard, [{ round: 1 }, { round: 2 }, { round: 3 }]);
await until("the last is acknowledged", async () => {
  const [rows] = await says("SELECT id FROM users_messages WHERE id = 2");
  return rows.length === 0;
});

// who is here, what is kept, what is not for pages
assert.deepEqual(await doctor.comet.presence(["2", 3, 99]), { 2: "online", 3: "online", 99: null });
await says("INSERT INTO pipes_settings (name, length) VALUES ('web_kept', 5)");
await doctor.comet.publish("web_kept", "said", "123");
assert.deepEqual((await doctor.comet.history("web_kept")).map(({ data }) => data), ["123"]);
await assert.rejects(doctor.comet.publish("news", "said", 1), { cause: "Forbidden" });
const refused = new Promise((done) => (doctor.comet.onRefused = (...why) => done(why)));
doctor.comet.on("a b", () => {});
assert.deepEqual(await refused, ["a b", "BadName"]);

// logins
await assert.rejects(connectComet({ server, user: 2, key: "wrong" }), (error) => {
  return error instanceof ClinicallError && error.cause === "LoginRefused";
});
await assert.rejects(doctor.comet.setToken("a.b.c"), { cause: "LoginRefused" });
assert.equal(doctor.comet.state, "connected");
const shownOut = new Promise((done) => (patient.comet.onState = (state, why) => done([state, why.cause])));
await says("DELETE FROM users_auth WHERE id = 3");
assert.deepEqual(await shownOut, ["failed", "Revoked"]);
await assert.rejects(patient.comet.history("web_kept"), { cause: "NotConnected" });
doctor.comet.disconnect();
assert.equal(doctor.comet.state, "disconnected");
await site.end();
