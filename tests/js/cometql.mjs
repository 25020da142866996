// node cometql.mjs HOST PORT PASSWORD: the site in Node, by mysql2, with many connections at once.

import assert from "node:assert/strict";
import mysql from "mysql2/promise";

const [host, port, password] = process.argv.slice(2);
const where = { host, port: Number(port), user: "root", password, database: "CometQL_v1" };
const text = "it's \"quoted\"\\ \n\u{1F637} \0 % _";

const db = await mysql.createConnection(where);
const [done] = await db.query("INSERT INTO users_auth (id, hash) VALUES (?, ?), (302, 'b')", [301, "a"]);
assert.deepEqual([done.affectedRows, done.insertId], [2, 301]);
assert.deepEqual((await db.execute("SELECT * FROM users_auth WHERE id IN (?, ?)", [301, "302"]))[0], [
  { id: "301", hash: "a" },
  { id: "302", hash: "b" },
]);
assert.deepEqual((await db.query("SELECT * FROM users_time WHERE id IN (?)", [[301, 302]]))[0], [
  { id: "301", time: -1 },
  { id: "302", time: -1 },
]);
await db.query("REPLACE INTO users_data SET ?", { id: 301, data: text });
assert.equal((await db.execute("SELECT data FROM users_data WHERE id = ?", [301]))[0][0].data, text);
for (const [wrong, code] of [["SELECT * FROM users_auth", 13], ["DESCRIBE nothing", 15], ["SELECT 1; SELECT 2", 3]]) {
  await assert.rejects(db.query(wrong), { errno: code });
}
await db.ping();
await db.beginTransaction();
await db.rollback();
await db.changeUser({ user: "other", password });
assert.equal((await db.query("SELECT USER() AS user"))[0][0].user, "other@%");
await db.end();
await assert.rejects(mysql.createConnection({ ...where, password: "wrong" }), { errno: 16 });

// a hundred connections, two thousand statements, each user's messages in their order
const pool = mysql.createPool({ ...where, connectionLimit: 100 });
const users = Array.from({ length: 100 }, (_, index) => 400 + index);
await Promise.all(
  users.map(async (user) => {
    for (let i = 0; i < 10; i++) {
      await pool.execute("INSERT INTO users_messages (id, event, message) VALUES (?, 'n', ?)", [user, String(i)]);
    }
    const [rows] = await pool.query("SELECT message FROM users_messages WHERE id = ?", [user]);
    assert.deepEqual(rows.map((row) => row.message), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    const [gone] = await pool.query("DELETE FROM users_messages WHERE id = ?", [user]);
    assert.equal(gone.affectedRows, 10);
  }),
);
await pool.end();
