// node tls.mjs HOST PORT PASSWORD CA: the site in Node, by mysql2 over TLS.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import mysql from "mysql2/promise";

const [host, port, password, ca] = process.argv.slice(2);
const where = { host, port: Number(port), user: "root", password, database: "CometQL_v1" };

const db = await mysql.createConnection({ ...where, ssl: { ca: readFileSync(ca) } });
assert.match((await db.query("SELECT VERSION() AS version"))[0][0].version, /clinicall/);
await db.changeUser({ user: "other", password });
await db.end();
await assert.rejects(mysql.createConnection({ ...where, ssl: {} }), /self-signed|certificate/);
