// node cppcomet.mjs HTTP COMETQL PASSWORD STORY: a story of pages that speak CppComet's dialect, and
// of the site behind them.

import assert from "node:assert/strict";
import mysql from "mysql2/promise";
import { Page } from "./dialect.mjs";
import { sign } from "./token.mjs";

const [relay, cometql, password, story] = process.argv.slice(2);
const [host, port] = cometql.split(":");
const site = await mysql.createConnection({ host, port: Number(port), user: "root", password, database: "CometQL_v1" });
const sql = async (text, values) => (await site.query(text, values))[0];
function token(user, tenant, { secret = password + tenant, seconds = 60, alg = "HS256" } = {}) {
  const exp = Math.floor(Date.now() / 1000) + seconds;
  return sign(secret, { user_id: user, exp }, alg);
}

async function enter(key, user, more = {}) {
  const page = new Page(relay, { key, user, ...more });
  await page.open;
  const info = await page.on("sys", "serverInfo");
  return { page, info };
}

async function member(user, more) {
  await sql("INSERT INTO users_auth (id, hash) VALUES (?, ?)", [user, `key${user}=/+`]);
  const { page, info } = await enter(`key${user}=/+`, user, more);
  assert.equal(info.authorized, true);
  return page;
}

const stories = {
  async login() {
    await sql("INSERT INTO users_auth (id, hash) VALUES (10, 'a=b/c+d')");
    const { page, info } = await enter("a=b/c+d", 10);
    assert.equal(info.authorized, true);
    assert.equal(info.data, "a=b/c+d");
    assert.ok(Math.abs(info.message_send_time - Date.now() / 1000) < 60);
    assert.deepEqual(Object.keys(info), [...Object.keys(info)].sort());
    await page.close();
    for (const path of ["//ws/", "/comet-server/ws/", "//comet-server/ws/"]) {
      const { page, info } = await enter("a=b/c+d", 10, { path });
      assert.equal(info.authorized, true, path);
      await page.close();
    }
    // a wrong key, another's key, nobody: they come in as user 0
    for (const [key, user] of [["wrong", 10], ["a=b/c+d", 11], ["undefined", "undefined"], ["", 0]]) {
      const { page, info } = await enter(key, user);
      assert.deepEqual([info.authorized, info.data], [false, ""], `${key} ${user}`);
      await page.close();
    }
    for (const [more, code] of [[{ tenant: "undefined!" }, 406], [{ v: "undefined" }, 418], [{ origin: "https://evil.example" }, 423]]) {
      const page = new Page(relay, { key: "a=b/c+d", user: 10, ...more });
      await page.open;
      const error = await page.on("sys", "error");
      assert.equal(error.data.error_code, code);
      await page.closed;
    }
    // taking the key back breaks the connection, without the close that a page would not come back from
    const { page: last } = await enter("a=b/c+d", 10);
    await sql("DELETE FROM users_auth WHERE id = 10");
    assert.equal(await last.closed, 1006);
    assert.equal((await enter("a=b/c+d", 10)).info.authorized, false);
  },

  async tokens() {
    const good = token(20, 15);
    const { page, info } = await enter(good, 20, { tenant: 15 });
    assert.equal(info.authorized, true);
    const forged = [
      [token(20, 15, { secret: "guess15" }), 20, 15],
      [token(20, 15, { seconds: -1 }), 20, 15],
      [token(20, 15, { alg: "none" }), 20, 15],
      [good, 20, 16],
      [good, 21, 15],
      [good.slice(0, -2), 20, 15],
      [`${good.split(".").slice(0, 2).join(".")}.`, 20, 15],
    ];
    for (const [key, user, tenant] of forged) {
      const { page, info } = await enter(key, user, { tenant });
      assert.equal(info.authorized, false, `${key} ${user} ${tenant}`);
      await page.close();
    }
    await sql("INSERT INTO revoked_tokens (token) VALUES (?)", [good]);
    await page.closed;
    assert.equal((await enter(good, 20, { tenant: 15 })).info.authorized, false);
    assert.equal((await sql("SELECT COUNT(*) AS n FROM revoked_tokens WHERE token = ?", [good]))[0].n, 1);
  },

  async messages() {
    const bodies = Array.from({ length: 60 }, (_, i) => JSON.stringify({ i, text: `it's "${i}"\n\\ 😷` }));
    await sql("INSERT INTO users_messages (id, event, message) VALUES ?", [bodies.map((body) => [30, "note", body])]);
    assert.equal((await sql("SELECT * FROM users_messages WHERE id = 30")).length, 60);
    const page = await member(30);
    for (const body of bodies) {
      const message = await page.on("msg", "note");
      assert.deepEqual(message.data, JSON.parse(body));
      assert.equal(message.fromQueue, true);
    }
    await page.settled();
    await page.close();
    // they came once: whoever comes again at once has nothing left
    const again = await member(30);
    await again.settled();
    assert.deepEqual(again.frames, []);
    assert.equal((await sql("SELECT * FROM users_messages WHERE id = 30")).length, 0);
    // live, and to every tab of the user
    const tab = (await enter("key30=/+", 30)).page;
    await sql("INSERT INTO users_messages (id, event, message) VALUES (30, '', 'plain text')");
    for (const each of [again, tab]) {
      assert.deepEqual(await each.on("msg"), { data: "plain text", event: "", pipe: "msg" });
    }
    assert.equal((await sql("SELECT time FROM users_time WHERE id = 30"))[0].time, 0);
    assert.deepEqual(await sql("SELECT time FROM users_time WHERE id = 31"), [{ time: -1 }]);
  },

  async pipes() {
    const [ann, bob] = [await member(40, { uuid: "a".repeat(32) }), await member(41, { uuid: "b".repeat(32) })];
    const guest = (await enter("undefined", "undefined")).page;
    for (const page of [ann, bob, guest]) {
      page.say("subscription", "web_room", "track_room", "msg", "private_room");
      await page.settled();
    }
    await sql("INSERT INTO pipes_settings (name, length) VALUES ('web_room', 10)");
    ann.say("web_pipe2", "web_room", "said", "*", JSON.stringify({ text: 'a "b"\n' }));
    const answer = await ann.on("_answer_to_web_room");
    assert.deepEqual(answer, {
      data: { message: { text: 'a "b"\n' }, number_messages: 2 },
      event: "answer",
      pipe: "_answer_to_web_room",
    });
    for (const page of [bob, guest]) {
      const message = await page.on("web_room", "said");
      assert.deepEqual([message.data, message.user_id], [{ text: 'a "b"\n' }, 40]);
    }
    bob.say("web_pipe2", "@web_room", "whisper", "*", '"psst"');
    assert.equal((await ann.on("web_room", "whisper")).user_id, 0);
    await sql("INSERT INTO pipes_messages (name, event, message) VALUES ('web_room', 'news', 'from the site')");
    assert.equal((await ann.on("web_room", "news")).data, "from the site");
    assert.equal(ann.frames.filter((frame) => frame.event === "said").length, 0, "the sender hears itself");

    ann.say("pipe_count", "web_room", "m1", "");
    const count = await ann.until((frame) => frame.marker === "m1");
    assert.deepEqual([count.pipe, count.event, count.data[1], count.data.user_in_pipe], ["_answer_pipe_count", "user_in_pipe", 3, 3]);
    ann.say("track_pipe_users", "track_room", "m2");
    const users = await ann.until((frame) => frame.marker === "m2");
    const names = users.data.map(({ user_id, uuid }) => `${user_id} ${uuid[0]}`);
    assert.deepEqual(names.sort(), ["0 0", "40 a", "41 b"]);
    assert.deepEqual(await sql("SELECT users FROM pipes WHERE name = 'web_room'"), [{ users: 3 }]);
    const there = await sql("SELECT user_id, user_uuid FROM users_in_pipes WHERE name = 'web_room' ORDER BY user_id");
    assert.deepEqual(there.map(({ user_id }) => user_id), ["0", "40", "41"]);

    ann.say("pipe_log", "web_room", "m3", "");
    const log = [];
    for (let i = 0; i < 3; i++) log.push(await ann.until((frame) => frame.history));
    assert.deepEqual(log.map(({ event }) => event), ["said", "whisper", "news"]);
    // one with a marker would not be shown to the page by CppComet's library
    assert.ok(log.every(({ fromQueue, marker, pipe }) => fromQueue && marker === undefined && pipe === "web_room"));

    await sql("INSERT INTO users_data (id, data) VALUES (41, 'Bob')");
    ann.say("user_data", "m4", "41");
    assert.deepEqual((await ann.until((frame) => frame.marker === "m4")).data, { user_data: "Bob", user_id: 41 });
    ann.say("user_status", "41");
    assert.deepEqual((await ann.on("_answer_user_status")).data, { data: "online", last_online_time: 0 });
    ann.say("user_status", "49");
    assert.deepEqual((await ann.on("_answer_user_status")).data, { data: "offline", last_online_time: -1 });

    // leaving a track_ pipe is told to those who stay
    ann.frames.length = 0;
    bob.say("subscription", "web_room");
    const left = await ann.on("track_room", "unsubscription");
    assert.deepEqual(left.data, { user_id: 41, uuid: "b".repeat(32) });

    // what is not allowed is answered, and the socket lives on
    ann.say("web_pipe2", "news_room", "x", "*", "1");
    assert.equal((await ann.on("sys", "error")).data.number_messages, -1);
    guest.say("web_pipe2", "webauth_room", "x", "*", "1");
    assert.equal((await guest.on("sys", "error")).data.number_messages, -1);
    guest.say("pipe_log", "private_room", "m5", "");
    await guest.on("sys", "error");
    ann.say("no such command");
    await ann.on("sys", "error");
    ann.socket.ping();
    await new Promise((done) => ann.socket.once("pong", done));
    // the biggest body there is
    const big = JSON.stringify("x".repeat(65_000));
    ann.say("web_pipe2", "web_room", "big", "*", big);
    assert.equal((await bob.on("web_room", "big")).data.length, 65_000);
    await ann.settled();
  },

  async call() {
    const page = await member(50);
    await sql(`INSERT INTO conference (name, user_id, caller_id, message, profile) VALUES('1', 50, 3, "{\\"a\\":1}", "video")`);
    const call = await page.on("msg", "sys_sipCall");
    assert.equal(call.data.message, '{"a":1}');
    const { callKey, callPipe, ...sys } = call.data.sys;
    assert.match(callKey, /^[0-9a-f-]{36}$/);
    assert.match(callPipe, /^web_syscall_vA_/);
    assert.deepEqual(
      [sys.conference, sys.sipNumber, sys.caller_id, sys.mode, sys.conference_name, sys.stream],
      ["true", "1*1*video", 3, "video", "1", 0],
    );
    await page.close();
    // a page that comes late is told what still rings, and nobody else is
    const late = await member(50);
    assert.equal((await late.on("msg", "sys_sipCall")).data.sys.callPipe, callPipe);
    const other = await member(51);
    await other.settled();
    assert.deepEqual(other.frames, []);
  },
};

await stories[story]();
await site.end();
process.exit(0);
